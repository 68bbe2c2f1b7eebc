//! What is done to a request: the policy, and the plugin that makes it of a configuration.

use std::{
    any::Any,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{Method, header, request};
use serde_json::{Map, Value};
use towergate_core::{
    Accounts, Context, Credential, CredentialKind, Directory, Env, Guard, Kept, Plugin, PluginError, Secrets, Verdict,
};

use super::{config::JwtConfig, key::JwtKey, refusal::Refusal};
use crate::{
    anonymous::Anonymous,
    bearer::{Challenges, Found, Places, header_names},
    identity,
    jose::{Malformed, Registered, Token, VerifiedClaims},
    per_worker::PerWorker,
};

/// The largest token, in bytes: what Kong's nginx takes as one header line.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How many bytes of tokens each worker remembers. With the claims of each that is about 4 MiB.
pub(super) const CACHE_BYTES: usize = 1024 * 1024;

/// Finds out by a signed token who a request is from: the policy.
#[derive(Debug, Clone)]
pub struct Jwt {
    pub(super) places: Places,
    pub(super) key_claim: Box<str>,
    pub(super) secret_is_base64: bool,
    pub(super) times: Vec<Registered>,
    /// For how many seconds a token may be valid at most; 0 is without limit.
    pub(super) maximum_expiration: f64,
    pub(super) on_preflight: bool,
    pub(super) max_token_bytes: usize,
    pub(super) challenges: Challenges,
    pub(super) anonymous: Anonymous,
    pub(super) accounts: Accounts,
    pub(super) verified: PerWorker<Verified>,
}

/// A token that was found good.
pub(super) struct Verified {
    /// The key of the credential.
    key: Box<str>,
    /// What its signature was checked with.
    with: Arc<dyn Any + Send + Sync>,
    claims: VerifiedClaims,
}

impl Jwt {
    /// The kind of its credentials in a directory.
    pub const CREDENTIALS: &'static str = "jwt";

    /// Kong's defaults: the argument `jwt` or the header `Authorization`, the key by `iss`, no times.
    pub(super) fn with_defaults() -> Self {
        Self {
            places: Places { arguments: vec!["jwt".into()], cookies: Vec::new(), headers: vec![header::AUTHORIZATION] },
            key_claim: "iss".into(),
            secret_is_base64: false,
            times: Vec::new(),
            maximum_expiration: 0.0,
            on_preflight: true,
            max_token_bytes: MAX_TOKEN_BYTES,
            challenges: Challenges::default(),
            anonymous: Anonymous::default(),
            accounts: Accounts::default(),
            verified: PerWorker::new(CACHE_BYTES),
        }
    }
}

impl Plugin for Jwt {
    const NAME: &'static str = "jwt";
    const PRIORITY: i32 = 1450;
    const CONSUMER_SCOPE: bool = false;
    const CREDENTIAL_KIND: Option<CredentialKind> = Some(CredentialKind {
        name: Self::CREDENTIALS,
        collection: "jwt_secrets",
        found_by: "key",
        prepare: JwtKey::prepare,
    });

    type Config = JwtConfig;

    fn new(config: JwtConfig, _: &Env) -> Result<Self, PluginError> {
        let challenges = match &config.realm {
            None => Challenges::default(),
            Some(realm) => Challenges::of_realm(realm.as_bytes())
                .ok_or_else(|| PluginError::new("realm", "must not hold control characters"))?,
        };
        let texts = |names: Option<Vec<String>>| names.into_iter().flatten().map(String::into_boxed_str).collect();
        let claims = config.claims_to_verify.unwrap_or_default();
        let times = [Registered::Expires, Registered::NotBefore].into_iter();
        Ok(Self {
            places: Places {
                arguments: texts(config.uri_param_names),
                cookies: texts(config.cookie_names),
                headers: header_names(&config.header_names.unwrap_or_default())?,
            },
            key_claim: config.key_claim_name.unwrap_or_else(|| "iss".to_owned()).into(),
            secret_is_base64: config.secret_is_base64,
            times: times.filter(|time| claims.iter().any(|claim| claim == time.name())).collect(),
            maximum_expiration: config.maximum_expiration.unwrap_or_default(),
            on_preflight: config.run_on_preflight,
            challenges,
            anonymous: Anonymous::new(config.anonymous),
            ..Self::with_defaults()
        })
    }
}

impl Guard for Jwt {
    fn secrets(&self, secrets: &mut Secrets) {
        self.places.tell(secrets);
    }

    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        if !self.on_preflight && head.method == Method::OPTIONS {
            // As in key-auth: nobody has proven the client's identity headers.
            if cx.identity().is_none() {
                identity::clear(&mut head.headers);
            }
            return Verdict::Pass;
        }
        if self.anonymous.is_settled(cx) {
            return Verdict::Pass;
        }
        match self.attempt(cx, head) {
            Ok((credential, claims)) => {
                let owner = self.accounts.directory(cx).and_then(|directory| directory.owner(credential));
                identity::write_proven(&mut head.headers, owner, credential.key());
                self.accounts.authenticate(cx, credential);
                head.extensions.insert(claims);
                Verdict::Pass
            }
            Err(refusal) => self
                .anonymous
                .fail(cx, &self.accounts, &mut head.headers, || refusal.reply(cx, &self.key_claim, &self.challenges)),
        }
    }
}

impl Jwt {
    /// Whose token the request shows.
    fn attempt<'a>(
        &'a self,
        cx: &'a Context,
        head: &request::Parts,
    ) -> Result<(&'a Credential, VerifiedClaims), Refusal> {
        let token = match self.places.search(head) {
            Found::One(token) => token,
            Found::Nothing => return Err(Refusal::NoToken),
            Found::Several => return Err(Refusal::Several),
            Found::NoText => return Err(Refusal::NoText),
        };
        if token.len() > self.max_token_bytes {
            return Err(Refusal::Malformed(Malformed::TooLarge));
        }
        let now = seconds(cx.timing.started_at());
        let directory = self.accounts.directory(cx);
        let known = self.verified.find(&token, |verified| verified.still_counts(directory?));
        let (credential, claims) = match known {
            Some(known) => known,
            None => self.verify(directory, &token)?,
        };
        self.check_times(claims.as_map(), now)?;
        let is_owned = directory.is_some_and(|directory| directory.owner(credential).is_some());
        is_owned.then_some((credential, claims)).ok_or_else(|| Refusal::NoConsumer(credential.key().to_owned()))
    }

    /// Checks the signature of a token, and remembers it if it is good.
    fn verify<'a>(
        &self,
        directory: Option<&'a Directory>,
        text: &[u8],
    ) -> Result<(&'a Credential, VerifiedClaims), Refusal> {
        let mut token = Token::parse(text).map_err(Refusal::Malformed)?;
        let key = self.key_of(&token)?;
        let credential = directory.and_then(|directory| directory.credential(Self::CREDENTIALS, key));
        let credential = credential.ok_or(Refusal::Unknown)?;
        let Some(Kept::Value(with)) = &credential.secret else { return Err(Refusal::NoMaterial) };
        let kept = JwtKey::of(&**with).ok_or(Refusal::NoMaterial)?;
        if kept.algorithm() != token.algorithm {
            return Err(Refusal::Algorithm);
        }
        match kept.verifies(&token, self.secret_is_base64) {
            None => return Err(Refusal::NoMaterial),
            Some(false) => return Err(Refusal::Signature),
            Some(true) => {}
        }
        let claims = VerifiedClaims::new(std::mem::take(&mut token.claims));
        let verified = Verified { key: credential.key().into(), with: with.clone(), claims: claims.clone() };
        self.verified.keep(text, verified);
        Ok((credential, claims))
    }

    /// The text that names the token's key. Null and false count as nothing there, as in Kong.
    fn key_of<'t>(&self, token: &'t Token<'_>) -> Result<&'t str, Refusal> {
        let of = |members: &'t Map<String, Value>| {
            members.get(&*self.key_claim).filter(|value| !matches!(value, Value::Null | Value::Bool(false)))
        };
        let named = of(&token.claims).or_else(|| of(&token.header)).ok_or(Refusal::NoKeyClaim)?;
        named.as_str().filter(|key| !key.is_empty()).ok_or(Refusal::BadKeyClaim)
    }

    fn check_times(&self, claims: &Map<String, Value>, now: f64) -> Result<(), Refusal> {
        let fault = |time: &Registered| time.check(claims.get(time.name()), now).err().map(|why| (*time, why));
        let faults: Vec<_> = self.times.iter().filter_map(fault).collect();
        if !faults.is_empty() {
            return Err(Refusal::Times(faults));
        }
        if self.maximum_expiration > 0.0 {
            let expires = claims.get(Registered::Expires.name()).and_then(Value::as_f64);
            if expires.is_none_or(|at| at - now > self.maximum_expiration) {
                return Err(Refusal::Times(vec![(Registered::Expires, "exceeds maximum allowed expiration")]));
            }
        }
        Ok(())
    }
}

impl Verified {
    /// The credential of this directory that the token is still good for: the one of the same key,
    /// if its tokens are checked with the same.
    fn still_counts<'a>(&mut self, directory: &'a Directory) -> Option<(&'a Credential, VerifiedClaims)> {
        let credential = directory.credential(Jwt::CREDENTIALS, &self.key)?;
        let Some(Kept::Value(with)) = &credential.secret else { return None };
        if !Arc::ptr_eq(with, &self.with) {
            // Another configuration: the same credential is another object there.
            let (now, then) = (JwtKey::of(&**with)?, JwtKey::of(&*self.with)?);
            if now != then {
                return None;
            }
            self.with = with.clone();
        }
        Some((credential, self.claims.clone()))
    }
}

/// Whole seconds since 1970, as Kong counts them.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs() as f64)
}
