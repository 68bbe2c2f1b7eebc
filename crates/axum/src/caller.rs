//! Who calls, as an extractor.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use towergate_core::{Consumer, Context, Identity, Reply};
use uuid::Uuid;

/// Who the request is from, as an authentication layer outside found out.
///
/// As an extractor it refuses requests that nobody vouches for with 401; `Option<Caller>` does not.
/// Someone let in as the layer's `anonymous` consumer is a caller, too: see
/// [`is_anonymous`](Self::is_anonymous).
#[derive(Debug, Clone)]
pub struct Caller {
    cx: Arc<Context>,
}

impl Caller {
    /// The caller of a request with these parts; `None` if it is not known.
    #[must_use]
    pub fn of(head: &Parts) -> Option<Self> {
        let cx = head.extensions.get::<Arc<Context>>()?;
        cx.identity().is_some().then(|| Self { cx: cx.clone() })
    }

    /// The consumer; `None` for someone an issuer vouches for who is no consumer.
    #[must_use]
    pub fn consumer(&self) -> Option<&Consumer> {
        self.cx.consumer()
    }

    /// What to call them: the consumer's user name, or else its id in another system, or else what an
    /// issuer calls them.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let consumer = self.cx.consumer();
        let known = consumer.and_then(|consumer| consumer.username.as_deref().or(consumer.custom_id.as_deref()));
        known.or_else(|| self.cx.identity().and_then(Identity::vouched_identifier))
    }

    /// The id of the credential the request came with.
    #[must_use]
    pub fn credential_id(&self) -> Option<Uuid> {
        self.cx.credential().map(|credential| credential.id)
    }

    /// The groups another system says they are in.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        self.cx.authenticated_groups()
    }

    /// Whether nothing was proven.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.cx.identity().is_none_or(Identity::is_anonymous)
    }

    /// All that is known of the request.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.cx
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NoCaller;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, NoCaller> {
        Self::of(head).ok_or_else(|| NoCaller { cx: Context::of(head) })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(head))
    }
}

/// Why there is no [`Caller`]: no layer has authenticated the request.
///
/// Answered with 401 and `Unauthorized` in the form the client accepts.
#[derive(Debug)]
pub struct NoCaller {
    cx: Arc<Context>,
}

impl IntoResponse for NoCaller {
    fn into_response(self) -> Response {
        self.cx.render(Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized")).map(Body::from)
    }
}
