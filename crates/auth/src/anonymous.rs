//! What becomes of a request that does not prove who it is from, and when to ask at all.
//!
//! The rule is the same for every way of authentication: without `anonymous` each must succeed;
//! with it one success is enough, and without any the request goes on as the anonymous consumer.

use http::{HeaderMap, StatusCode};
#[cfg(feature = "basic")]
use towergate_core::Outcome;
use towergate_core::{Accounts, Consumer, Context, Reply, Verdict};

use crate::identity;

/// The consumer that requests without proof go on as, if there is one: its id or user name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Anonymous(Option<String>);

impl Anonymous {
    pub(crate) fn new(id_or_username: Option<String>) -> Self {
        Self(id_or_username)
    }

    /// Whether an earlier way has proven enough, so that this one is not tried.
    pub(crate) fn is_settled(&self, cx: &Context) -> bool {
        self.0.is_some() && cx.identity().is_some_and(|identity| !identity.is_anonymous())
    }

    /// Decides on a request that failed: it goes on as the anonymous consumer, or is refused.
    pub(crate) fn fail(
        &self,
        cx: &Context,
        accounts: &Accounts,
        headers: &mut HeaderMap,
        refusal: impl FnOnce() -> Reply,
    ) -> Verdict {
        match self.consumer(cx, accounts, refusal) {
            Ok(consumer) => {
                admit(cx, accounts, headers, consumer);
                Verdict::Pass
            }
            Err(reply) => Verdict::Refuse(*reply),
        }
    }

    /// The same decision beforehand, on a request that is yet to be waited for.
    #[cfg(feature = "basic")]
    pub(crate) fn failure(&self, cx: &Context, accounts: &Accounts, refusal: impl FnOnce() -> Reply) -> Outcome {
        if let Err(reply) = self.consumer(cx, accounts, refusal) {
            return Outcome::Refuse(*reply);
        }
        let (anonymous, accounts) = (self.clone(), accounts.clone());
        Outcome::PassWith(Box::new(move |cx, head| {
            // The request is still on the plan it began with, so the consumer is still there.
            if let Ok(consumer) = anonymous.consumer(cx, &accounts, || Reply::empty(StatusCode::UNAUTHORIZED)) {
                admit(cx, &accounts, &mut head.headers, consumer);
            }
        }))
    }

    /// The consumer, or what is answered without it.
    fn consumer<'a>(
        &self,
        cx: &'a Context,
        accounts: &'a Accounts,
        refusal: impl FnOnce() -> Reply,
    ) -> Result<&'a Consumer, Box<Reply>> {
        let Some(name) = &self.0 else { return Err(Box::new(refusal())) };
        let consumer = accounts.directory(cx).and_then(|directory| directory.consumer_named(name));
        consumer.ok_or_else(|| Box::new(missing(name)))
    }

    /// What will become of the request if it fails, known before waiting: afterwards it can only
    /// be changed or answered.
    #[cfg(feature = "jwks")]
    pub(crate) fn prospect(&self, cx: &Context, accounts: &Accounts) -> Prospect {
        let Some(name) = &self.0 else { return Prospect::Refused };
        match accounts.directory(cx).and_then(|directory| directory.consumer_named(name)) {
            Some(_) => Prospect::Admitted,
            None => Prospect::Broken(missing(name)),
        }
    }
}

/// What becomes of a request that fails.
#[cfg(feature = "jwks")]
#[derive(Debug)]
pub(crate) enum Prospect {
    /// It is refused.
    Refused,
    /// It is refused, because the anonymous consumer is not there.
    Broken(Reply),
    /// It goes on as the anonymous consumer.
    Admitted,
}

fn missing(name: &str) -> Reply {
    let message = format!("anonymous consumer {name} is configured but doesn't exist");
    Reply::error(StatusCode::INTERNAL_SERVER_ERROR, message)
}

fn admit(cx: &Context, accounts: &Accounts, headers: &mut HeaderMap, consumer: &Consumer) {
    identity::write_anonymous(headers, consumer);
    accounts.admit_anonymous(cx, consumer);
}
