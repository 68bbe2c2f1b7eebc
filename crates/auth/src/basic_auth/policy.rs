//! What it does to a request.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header, request};
use towergate_core::{
    Accounts, Context, Credential, CredentialKind, Env, Guard, Kept, Outcome, Plugin, PluginError, Reply, Secret,
    Verdict, Written,
};

use super::{
    config::BasicAuthConfig,
    login::Login,
    password::{self, Password, PasswordError},
    verifier::Verifier,
};
use crate::{anonymous::Anonymous, authorization, identity};

/// Finds out by user name and password who a request is from: the policy.
#[derive(Debug, Clone)]
pub struct BasicAuth {
    pub(super) hide: bool,
    pub(super) challenge: HeaderValue,
    pub(super) anonymous: Anonymous,
    pub(super) accounts: Accounts,
    pub(super) verifier: Arc<Verifier>,
}

impl BasicAuth {
    /// The kind of its credentials in a directory.
    pub const CREDENTIALS: &'static str = "basic-auth";

    /// What to keep in a directory for the password of this hash, an argon2id one as
    /// [`hash_password`](crate::hash_password) makes it, or Kong's: the SHA-1 of the password
    /// followed by the consumer's id, in hexadecimal.
    ///
    /// # Errors
    /// What such a hash looks like.
    pub fn secret(hash: &str) -> Result<Secret, PasswordError> {
        Ok(Some(Password::parse(hash)?.kept()))
    }
}

impl Plugin for BasicAuth {
    const NAME: &'static str = "basic-auth";
    const PRIORITY: i32 = 1100;
    const CONSUMER_SCOPE: bool = false;
    const CREDENTIAL_KIND: Option<CredentialKind> = Some(CredentialKind {
        name: Self::CREDENTIALS,
        collection: "basicauth_credentials",
        found_by: "username",
        prepare,
    });

    type Config = BasicAuthConfig;

    fn new(config: BasicAuthConfig, _: &Env) -> Result<Self, PluginError> {
        Ok(Self {
            hide: config.hide_credentials,
            challenge: challenge(config.realm.as_bytes())
                .ok_or_else(|| PluginError::new("realm", "must not hold control characters"))?,
            anonymous: Anonymous::new(config.anonymous),
            accounts: Accounts::default(),
            verifier: Arc::default(),
        })
    }
}

fn prepare(written: &Written<'_>) -> Result<Secret, PluginError> {
    let text = written.text("password").unwrap_or_default();
    let password = if written.hashed || password::is_argon2(text) {
        Password::parse(text).map_err(|error| PluginError::new("password", error.to_string()))?
    } else {
        Password::salted(text.as_bytes(), written.consumer)
    };
    Ok(Some(password.kept()))
}

/// The value of `WWW-Authenticate`; `None` if a header cannot hold the realm.
pub(super) fn challenge(realm: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[b"Basic realm=\"", realm, b"\""].concat()).ok()
}

impl Guard for BasicAuth {
    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        if self.anonymous.is_settled(cx) {
            return Verdict::Pass;
        }
        let headers = &mut head.headers;
        let Some((login, credential)) = self.login(cx, headers) else { return self.fail(cx, headers) };
        match self.judge(cx, &login, credential) {
            Judgement::Good(credential) => {
                self.admit(cx, headers, credential);
                Verdict::Pass
            }
            Judgement::Bad => self.fail(cx, headers),
            Judgement::Slow(hash) => self.wait(cx, login, credential.is_some(), hash.into()),
        }
    }
}

/// What is known of a login at once.
enum Judgement<'a> {
    Good(&'a Credential),
    Bad,
    /// The password must be verified with this argon2 hash.
    Slow(&'a str),
}

impl BasicAuth {
    /// The login that counts, and the credential of its name: that of `Proxy-Authorization` if
    /// somebody has the name, else that of `Authorization`.
    fn login<'a>(&'a self, cx: &'a Context, headers: &mut HeaderMap) -> Option<(Login, Option<&'a Credential>)> {
        let mut last = None;
        for header in &authorization::HEADERS {
            last = Login::of(headers, header).or(last);
            if self.hide {
                headers.remove(header);
            }
            if let Some(credential) = last.as_ref().and_then(|login| self.credential(cx, login.name())) {
                return last.map(|login| (login, Some(credential)));
            }
        }
        last.map(|login| (login, None))
    }

    fn credential<'a>(&'a self, cx: &'a Context, name: &str) -> Option<&'a Credential> {
        self.accounts.directory(cx)?.credential(Self::CREDENTIALS, name)
    }

    /// Judges a login. Where nobody has the name the password is compared with that of somebody
    /// else, so that the time an answer takes does not tell which names there are.
    fn judge<'a>(&'a self, cx: &'a Context, login: &Login, known: Option<&'a Credential>) -> Judgement<'a> {
        let Some(directory) = self.accounts.directory(cx) else { return Judgement::Bad };
        let compared = known.or_else(|| directory.decoy(Self::CREDENTIALS, login.name()));
        let kept = compared.and_then(|credential| credential.secret.as_ref());
        let good = |is_good: bool| known.filter(|_| is_good).map(Judgement::Good);
        match (kept, compared.and_then(|credential| directory.owner(credential))) {
            (Some(Kept::Digest(digest)), Some(owner)) => {
                good(password::is_salted(digest, login.password(), owner.id)).unwrap_or(Judgement::Bad)
            }
            (Some(kept), _) => kept.downcast_ref::<Box<str>>().map_or(Judgement::Bad, |hash| {
                good(self.verifier.remembers(hash, login.password())).unwrap_or(Judgement::Slow(hash))
            }),
            _ => Judgement::Bad,
        }
    }

    fn admit(&self, cx: &Context, headers: &mut HeaderMap, credential: &Credential) {
        let owner = self.accounts.directory(cx).and_then(|directory| directory.owner(credential));
        identity::write_proven(headers, owner, credential.key());
        self.accounts.authenticate(cx, credential);
    }

    fn fail(&self, cx: &Context, headers: &mut HeaderMap) -> Verdict {
        self.anonymous.fail(cx, &self.accounts, headers, || self.refusal())
    }

    fn refusal(&self) -> Reply {
        Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized")
            .with_header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }

    /// Verifies an argon2 hash while the worker serves others.
    fn wait(&self, cx: &Context, login: Login, is_known: bool, hash: Box<str>) -> Verdict {
        let Some(place) = self.verifier.queue() else { return Verdict::Refuse(busy()) };
        let failure = self.anonymous.failure(cx, &self.accounts, || self.refusal());
        let policy = self.clone();
        Verdict::wait(async move {
            match policy.verifier.clone().verify(hash, login.password().to_vec(), is_known, place).await {
                Ok(true) if is_known => Outcome::PassWith(Box::new(move |cx, head| {
                    // The request is still on the plan it began with, so the credential is still there.
                    if let Some(credential) = policy.credential(cx, login.name()) {
                        policy.admit(cx, &mut head.headers, credential);
                    }
                })),
                Ok(_) => failure,
                Err(_) => Outcome::Refuse(Reply::fault(StatusCode::INTERNAL_SERVER_ERROR)),
            }
        })
    }
}

/// Too many passwords are being verified.
fn busy() -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, "Too many logins at a time, try again")
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}
