//! What it does to a request.

use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header, request};
use subtle::ConstantTimeEq;
use towergate_core::{
    Accounts, Context, Credential, CredentialKind, Env, Guard, Kept, Plugin, PluginError, Reply, Secret, Verdict,
    Written,
};

use super::{
    algorithm::HmacAlgorithm,
    config::{CLOCK_SKEW, HmacAuthConfig},
    date, digest,
    parameters::Parameters,
    signed,
};
use crate::{anonymous::Anonymous, authorization, identity};

/// The largest body whose digest is validated. Kong reads no body that does not fit into nginx's buffer
/// (8 KiB unless told otherwise), and refuses the rest.
pub(super) const BODY_LIMIT: usize = 8 * 1024 * 1024;

const NO_DATE: &str =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
const NOT_VERIFIABLE: &str = "HMAC signature cannot be verified";
const NO_MATCH: &str = "HMAC signature does not match";

/// Finds out by a signature over a request who it is from: the policy.
#[derive(Debug, Clone)]
pub struct HmacAuth {
    pub(super) hide: bool,
    pub(super) skew: Duration,
    pub(super) anonymous: Anonymous,
    pub(super) validate_body: bool,
    pub(super) body_limit: usize,
    pub(super) enforced: Vec<String>,
    pub(super) algorithms: Vec<HmacAlgorithm>,
    pub(super) challenge: HeaderValue,
    pub(super) accounts: Accounts,
}

/// What signatures are made with.
struct SharedSecret(Box<[u8]>);

impl HmacAuth {
    /// The kind of its credentials in a directory.
    pub const CREDENTIALS: &'static str = "hmac-auth";

    /// What to keep in a directory for a secret that signatures are made with.
    pub fn secret(secret: impl Into<Box<[u8]>>) -> Secret {
        Some(Kept::new(SharedSecret(secret.into())))
    }
}

impl Plugin for HmacAuth {
    const NAME: &'static str = "hmac-auth";
    const PRIORITY: i32 = 1030;
    const CONSUMER_SCOPE: bool = false;
    const CREDENTIAL_KIND: Option<CredentialKind> = Some(CredentialKind {
        name: Self::CREDENTIALS,
        collection: "hmacauth_credentials",
        found_by: "username",
        prepare,
    });

    type Config = HmacAuthConfig;

    fn new(config: HmacAuthConfig, _: &Env) -> Result<Self, PluginError> {
        let skew = Duration::try_from_secs_f64(config.clock_skew.unwrap_or(CLOCK_SKEW));
        Ok(Self {
            hide: config.hide_credentials,
            // A float beyond the range of seconds becomes the largest number of them.
            skew: skew.unwrap_or(Duration::MAX),
            anonymous: Anonymous::new(config.anonymous),
            validate_body: config.validate_request_body,
            body_limit: BODY_LIMIT,
            enforced: config.enforce_headers.unwrap_or_default(),
            algorithms: config.algorithms.unwrap_or_else(|| HmacAlgorithm::DEFAULT.to_vec()),
            challenge: challenge(config.realm.as_deref().map(str::as_bytes))
                .ok_or_else(|| PluginError::new("realm", "must not hold control characters"))?,
            accounts: Accounts::default(),
        })
    }
}

fn prepare(written: &Written<'_>) -> Result<Secret, PluginError> {
    match written.text("secret").unwrap_or_default() {
        "" => Err(PluginError::new("secret", "must not be empty")),
        secret => Ok(HmacAuth::secret(secret.as_bytes())),
    }
}

/// The value of `WWW-Authenticate`; `None` if a header cannot hold the realm.
pub(super) fn challenge(realm: Option<&[u8]>) -> Option<HeaderValue> {
    match realm {
        None => Some(HeaderValue::from_static("hmac")),
        Some(realm) => HeaderValue::from_bytes(&[b"hmac realm=\"", realm, b"\""].concat()).ok(),
    }
}

impl Guard for HmacAuth {
    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        if self.anonymous.is_settled(cx) {
            return Verdict::Pass;
        }
        let attempt = self.attempt(cx, head);
        // Only whoever signed has us read a body.
        if self.validate_body && attempt.credential.is_ok() {
            return Verdict::Buffer(self.body_limit);
        }
        self.conclude(cx, head, attempt)
    }

    fn check_body(&self, cx: &Context, head: &mut request::Parts, body: Option<&mut Bytes>) -> Verdict {
        let mut attempt = self.attempt(cx, head);
        if !digest::is_right(&head.headers, body.as_deref().map(|body| &**body)) {
            attempt.credential = Err(NO_MATCH);
        }
        self.conclude(cx, head, attempt)
    }
}

/// How a request tried to prove itself.
struct Attempt<'a> {
    /// The header that was looked at last.
    header: Option<&'static HeaderName>,
    /// The credential, or why there is none, in the words the client reads.
    credential: Result<&'a Credential, &'static str>,
}

impl HmacAuth {
    fn attempt<'a>(&'a self, cx: &'a Context, head: &request::Parts) -> Attempt<'a> {
        if !authorization::HEADERS.iter().any(|name| head.headers.contains_key(name)) {
            return Attempt { header: None, credential: Err("Unauthorized") };
        }
        if !date::is_near(&head.headers, cx.timing.started_at(), self.skew) {
            return Attempt { header: None, credential: Err(NO_DATE) };
        }
        let mut looked_at = None;
        for header in &authorization::HEADERS {
            looked_at = Some(header);
            if let Some(parameters) = Parameters::of(&head.headers, header) {
                return Attempt { header: looked_at, credential: self.verify(cx, head, &parameters) };
            }
        }
        Attempt { header: looked_at, credential: Err(NOT_VERIFIABLE) }
    }

    fn verify<'a>(
        &'a self,
        cx: &'a Context,
        head: &request::Parts,
        parameters: &Parameters<'_>,
    ) -> Result<&'a Credential, &'static str> {
        let is_signed = |name: &String| parameters.headers.split(' ').any(|signed| signed.eq_ignore_ascii_case(name));
        let algorithm = self.algorithms.iter().find(|algorithm| algorithm.name() == parameters.algorithm);
        let algorithm = algorithm.filter(|_| self.enforced.iter().all(is_signed)).ok_or(NOT_VERIFIABLE)?;
        let directory = self.accounts.directory(cx);
        let credential = directory.and_then(|directory| directory.credential(Self::CREDENTIALS, parameters.username));
        let credential = credential.ok_or(NOT_VERIFIABLE)?;
        let secret = credential.secret.as_ref().and_then(|secret| secret.downcast_ref()).ok_or(NOT_VERIFIABLE)?;
        let SharedSecret(secret) = secret;
        let mut expected = hmac::Context::with_key(&algorithm.key(secret));
        signed::text(head, parameters.headers, |piece| expected.update(piece)).map_err(|_| NO_MATCH)?;
        let signature = authorization::decode_base64(parameters.signature.as_bytes()).ok_or(NO_MATCH)?;
        let is_good: bool = expected.sign().as_ref().ct_eq(&signature).into();
        is_good.then_some(credential).ok_or(NO_MATCH)
    }

    fn conclude(&self, cx: &Context, head: &mut request::Parts, attempt: Attempt<'_>) -> Verdict {
        if let Some(header) = attempt.header.filter(|_| self.hide) {
            head.headers.remove(header);
        }
        match attempt.credential {
            Ok(credential) => {
                let owner = self.accounts.directory(cx).and_then(|directory| directory.owner(credential));
                identity::write_proven(&mut head.headers, owner, credential.key());
                self.accounts.authenticate(cx, credential);
                Verdict::Pass
            }
            Err(message) => self.anonymous.fail(cx, &self.accounts, &mut head.headers, || {
                Reply::error(StatusCode::UNAUTHORIZED, message)
                    .with_header(header::WWW_AUTHENTICATE, self.challenge.clone())
            }),
        }
    }
}
