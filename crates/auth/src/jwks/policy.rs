//! What is done to a request: the policy, and the plugin that makes it of a configuration.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{Method, Uri, request};
use serde_json::{Map, Value};
use towergate_core::{
    Accounts, Consumer, Context, Directory, Env, Guard, Outcome, Plugin, PluginError, Responding, Secrets, Task,
    Verdict,
};
use uuid::Uuid;

use super::{
    config::JwksAuthConfig,
    issuer::{self, Issuer},
    keys::{Fetching, Keys, Schedule},
    refusal::Refusal,
    verify::{self, Expected, UnknownKey, Verified},
};
use crate::{
    anonymous::{Anonymous, Prospect},
    bearer::{Challenges, Found, Places, header_names},
    identity,
    jose::{Algorithm, Malformed, Token, VerifiedClaims},
    per_worker::PerWorker,
};

/// The largest token, in bytes: what Kong's nginx takes as one header line.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How many bytes of tokens each worker remembers. With the claims of each that is about 4 MiB.
const CACHE_BYTES: usize = 1024 * 1024;

/// Finds out by a token of an issuer who a request is from: the policy.
#[derive(Debug, Clone)]
pub struct JwksAuth {
    pub(super) places: Places,
    pub(super) expected: Expected,
    pub(super) keys: Arc<Keys>,
    pub(super) consumers: Consumers,
    pub(super) groups_claim: Option<Box<str>>,
    pub(super) on_preflight: bool,
    pub(super) challenges: Challenges,
    pub(super) anonymous: Anonymous,
    pub(super) accounts: Accounts,
    pub(super) verified: PerWorker<Verified>,
}

/// How a token names its consumer.
#[derive(Debug, Clone, Default)]
pub(super) struct Consumers {
    pub(super) claim: Option<Box<str>>,
    pub(super) by: Vec<By>,
    pub(super) optional: bool,
}

/// By what a consumer is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Username,
    CustomId,
    Id,
}

impl Plugin for JwksAuth {
    const NAME: &'static str = "jwks-auth";
    // Between jwt (1450) and oauth2 (1400).
    const PRIORITY: i32 = 1440;
    const CONSUMER_SCOPE: bool = false;

    type Config = JwksAuthConfig;

    fn new(config: JwksAuthConfig, _: &Env) -> Result<Self, PluginError> {
        let challenges = match &config.realm {
            None => Challenges::default(),
            Some(realm) => Challenges::of_realm(realm.as_bytes())
                .ok_or_else(|| PluginError::new("realm", "must not hold control characters"))?,
        };
        let texts = |names: Vec<String>| names.into_iter().map(String::into_boxed_str).collect();
        let keys = keys(&config)?;
        Ok(Self {
            keys,
            places: Places {
                arguments: texts(config.uri_param_names),
                cookies: texts(config.cookie_names),
                headers: header_names(&config.header_names)?,
            },
            expected: Expected { issuers: config.issuers, audiences: config.audiences, leeway: config.leeway as f64 },
            consumers: Consumers {
                claim: config.consumer_claim.map(Into::into),
                by: config.consumer_by.iter().filter_map(|name| By::named(name)).collect(),
                optional: config.consumer_optional,
            },
            groups_claim: config.authenticated_groups_claim.map(Into::into),
            on_preflight: config.run_on_preflight,
            challenges,
            anonymous: Anonymous::new(config.anonymous),
            accounts: Accounts::default(),
            verified: PerWorker::new(CACHE_BYTES),
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(Box::pin(self.keys.clone().keep_fresh()))
    }

    fn state(&self) -> Option<Value> {
        Some(self.keys.state())
    }
}

fn keys(config: &JwksAuthConfig) -> Result<Arc<Keys>, PluginError> {
    let uri = config.jwks_uri.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    let uri =
        uri.ok_or_else(|| PluginError::new("jwks_uri", "must be a URL with a host, such as https://host/path"))?;
    let authorities = config.ca_certificates.as_deref().map(issuer::authorities).transpose();
    let authorities = authorities.map_err(|why| PluginError::new("ca_certificates", why))?;
    let algorithms = config.algorithms.iter().filter_map(|name| Algorithm::named(name));
    let algorithms: Vec<_> = algorithms.filter(|algorithm| !algorithm.is_symmetric()).collect();
    let schedule = Schedule {
        refresh: Duration::from_secs(config.refresh_interval),
        cooldown: Duration::from_secs(config.cooldown),
    };
    let issuer = Issuer::new(uri, Duration::from_millis(config.timeout), authorities);
    Ok(Keys::new(issuer, algorithms, schedule))
}

impl By {
    fn named(name: &str) -> Option<Self> {
        match name {
            "username" => Some(Self::Username),
            "custom_id" => Some(Self::CustomId),
            "id" => Some(Self::Id),
            _ => None,
        }
    }

    fn find<'a>(self, directory: &'a Directory, name: &str) -> Option<&'a Consumer> {
        match self {
            Self::Username => directory.consumer_by_username(name),
            Self::CustomId => directory.consumer_by_custom_id(name),
            Self::Id => directory.consumer(Uuid::try_parse(name).ok()?),
        }
    }
}

/// How far a request came without waiting.
enum Attempt {
    Known(VerifiedClaims),
    Refused(Refusal),
    /// The keys are being fetched; this is the token.
    Waiting(Vec<u8>, Fetching),
}

/// What can only be found out before waiting.
struct Prospects {
    /// Whether the consumer is there that the token claims to be of.
    claims: Result<(), Refusal>,
    /// What becomes of the request if it fails.
    failure: Prospect,
}

impl Guard for JwksAuth {
    fn response(&self) -> Responding {
        Responding::Never
    }

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
            Attempt::Known(claims) => match self.admit(cx, head, claims) {
                Ok(()) => Verdict::Pass,
                Err(refusal) => self.fail(cx, head, refusal),
            },
            Attempt::Refused(refusal) => self.fail(cx, head, refusal),
            Attempt::Waiting(token, fetching) => {
                let prospects = Prospects {
                    claims: Token::parse(&token)
                        .map_err(Refusal::Malformed)
                        .and_then(|token| self.consumer(cx, &token.claims).map(drop)),
                    failure: self.anonymous.prospect(cx, &self.accounts),
                };
                Verdict::wait(self.clone().finish(token, fetching, seconds(cx), prospects))
            }
        }
    }
}

impl JwksAuth {
    fn attempt(&self, cx: &Context, head: &request::Parts) -> Attempt {
        self.keys.refresh_if_due(cx.timing.started());
        let token = match self.places.search(head) {
            Found::One(token) => token,
            Found::Nothing => return Attempt::Refused(Refusal::NoToken),
            Found::Several => return Attempt::Refused(Refusal::Several),
            Found::NoText => return Attempt::Refused(Refusal::NoText),
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Attempt::Refused(Refusal::Malformed(Malformed::TooLarge));
        }
        if let Some(claims) = verify::remembered(&self.verified, &self.keys, &token) {
            return match self.expected.check(claims.as_map(), seconds(cx)) {
                Ok(()) => Attempt::Known(claims),
                Err(refusal) => Attempt::Refused(refusal),
            };
        }
        match self.verify(&token, seconds(cx)) {
            Ok(Ok(claims)) => Attempt::Known(claims),
            Ok(Err(refusal)) => Attempt::Refused(refusal),
            Err(UnknownKey) => match self.keys.refresh_for_unknown(cx.timing.started()) {
                Some(fetching) => Attempt::Waiting(token.into_owned(), fetching),
                None => Attempt::Refused(self.unknown()),
            },
        }
    }

    fn verify(&self, text: &[u8], now: f64) -> Result<Result<VerifiedClaims, Refusal>, UnknownKey> {
        match verify::plausible(text, self.keys.algorithms(), &self.expected, now) {
            Ok(token) => verify::signature(token, text, &self.keys, &self.verified),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn unknown(&self) -> Refusal {
        self.keys.read(|known| if known.is_some() { Refusal::UnknownKey } else { Refusal::NoKeys })
    }

    /// The rest of a request's way when its key had to be fetched.
    async fn finish(self, token: Vec<u8>, fetching: Fetching, now: f64, prospects: Prospects) -> Outcome {
        fetching.ended().await;
        let claims = self.verify(&token, now).unwrap_or_else(|UnknownKey| Err(self.unknown()));
        match claims.and_then(|claims| prospects.claims.map(|()| claims)) {
            Ok(claims) => Outcome::PassWith(Box::new(move |cx, head| {
                // Whether the consumer is there was looked at before.
                let _ = self.admit(cx, head, claims);
            })),
            Err(refusal) => match prospects.failure {
                Prospect::Refused => Outcome::Refuse(refusal.reply(&self.challenges)),
                Prospect::Broken(reply) => Outcome::Refuse(reply),
                Prospect::Admitted => Outcome::PassWith(Box::new(move |cx, head| {
                    // Whether the anonymous consumer is there was looked at before, too.
                    let _ = self.fail(cx, head, refusal);
                })),
            },
        }
    }

    fn fail(&self, cx: &Context, head: &mut request::Parts, refusal: Refusal) -> Verdict {
        self.anonymous.fail(cx, &self.accounts, &mut head.headers, || refusal.reply(&self.challenges))
    }

    /// Lets a request go on as whom the claims say it is from.
    fn admit(&self, cx: &Context, head: &mut request::Parts, claims: VerifiedClaims) -> Result<(), Refusal> {
        let consumer = self.consumer(cx, claims.as_map())?;
        let subject = claims.text("sub");
        identity::write_vouched(&mut head.headers, consumer, subject);
        let groups = self.groups_claim.as_deref().and_then(|claim| claims.get(claim)).map_or_else(Vec::new, groups);
        self.accounts.vouch(cx, consumer, subject.unwrap_or_default(), groups);
        head.extensions.insert(claims);
        Ok(())
    }

    /// The consumer that the claims name; none if none needs to be.
    fn consumer<'a>(&'a self, cx: &'a Context, claims: &Map<String, Value>) -> Result<Option<&'a Consumer>, Refusal> {
        let Some(claim) = &self.consumers.claim else { return Ok(None) };
        let name = claims.get(&**claim).and_then(Value::as_str);
        let directory = self.accounts.directory(cx);
        let find = |(name, directory)| self.consumers.by.iter().find_map(|by: &By| by.find(directory, name));
        match name.zip(directory).and_then(find) {
            None if !self.consumers.optional => Err(Refusal::NoConsumer),
            found => Ok(found),
        }
    }
}

/// The texts of a list, or the words of a text.
fn groups(claim: &Value) -> Vec<String> {
    match claim {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Seconds since 1970.
fn seconds(cx: &Context) -> f64 {
    cx.timing.started_at().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
