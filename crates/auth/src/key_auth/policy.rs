//! What it does to a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use towergate_core::{
    Accounts, Context, Credential, CredentialKind, Env, Guard, Plugin, PluginError, Reply, Responding, Secrets, Verdict,
};

use super::{
    config::KeyAuthConfig,
    search::{Body, Found, KeyName, Places, search},
};
use crate::{
    anonymous::Anonymous,
    fields::{Encoding, Fields},
    identity,
};

/// The largest body that is searched for a key: what Kong's nginx keeps in memory by default. A key
/// in a larger one is not found.
pub(super) const BODY_LIMIT: usize = 8 * 1024;

/// Finds out by an API key who a request is from: the policy.
#[derive(Debug, Clone)]
pub struct KeyAuth {
    pub(super) names: Vec<KeyName>,
    pub(super) places: Places,
    pub(super) hide: bool,
    pub(super) on_preflight: bool,
    pub(super) body_limit: usize,
    pub(super) challenge: HeaderValue,
    pub(super) anonymous: Anonymous,
    pub(super) accounts: Accounts,
}

impl KeyAuth {
    /// The kind of its credentials in a directory.
    pub const CREDENTIALS: &'static str = "key-auth";
}

impl Plugin for KeyAuth {
    const NAME: &'static str = "key-auth";
    const PRIORITY: i32 = 1250;
    const CONSUMER_SCOPE: bool = false;
    const CREDENTIAL_KIND: Option<CredentialKind> =
        Some(CredentialKind::keys(Self::CREDENTIALS, "keyauth_credentials"));

    type Config = KeyAuthConfig;

    fn new(config: KeyAuthConfig, _: &Env) -> Result<Self, PluginError> {
        let places = Places { header: config.key_in_header, query: config.key_in_query, body: config.key_in_body };
        Ok(Self {
            names: names(&config.key_names)?,
            places,
            hide: config.hide_credentials,
            on_preflight: config.run_on_preflight,
            body_limit: BODY_LIMIT,
            challenge: challenge(config.realm.as_deref().map(str::as_bytes))
                .ok_or_else(|| PluginError::new("realm", "must not hold control characters"))?,
            anonymous: Anonymous::new(config.anonymous),
            accounts: Accounts::default(),
        })
    }
}

fn names(names: &[String]) -> Result<Vec<KeyName>, PluginError> {
    let name = |(index, name): (usize, &String)| {
        KeyName::new(name).map_err(|message| PluginError::new(format!("key_names[{index}]"), message))
    };
    names.iter().enumerate().map(name).collect()
}

/// The value of `WWW-Authenticate`; `None` if a header cannot hold the realm.
pub(super) fn challenge(realm: Option<&[u8]>) -> Option<HeaderValue> {
    match realm {
        None => Some(HeaderValue::from_static("Key")),
        Some(realm) => HeaderValue::from_bytes(&[b"Key realm=\"", realm, b"\""].concat()).ok(),
    }
}

impl Guard for KeyAuth {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn secrets(&self, secrets: &mut Secrets) {
        self.names.iter().for_each(|name| name.tell(secrets));
    }

    fn may_read(&self, name: &HeaderName) -> bool {
        // The type of a body decides whether a key may stand in it.
        *name == header::CONTENT_TYPE || identity::is_told_by(name) || self.names.iter().any(|of| of.is(name))
    }

    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        if !self.on_preflight && head.method == Method::OPTIONS {
            // Kong lets the client's identity headers through here; nobody has proven them.
            if cx.identity().is_none() {
                identity::clear(&mut head.headers);
            }
            return Verdict::Pass;
        }
        if self.anonymous.is_settled(cx) {
            return Verdict::Pass;
        }
        let may_hold_key = self.places.body && Encoding::of(&head.headers).is_some();
        let body = if may_hold_key { Body::Unread } else { Body::None };
        let found = search(&self.names, self.places, head, &body);
        match (&found, &body) {
            (Found::BodyNeeded, _) => Verdict::Buffer(self.body_limit),
            // The key is known, but may stand in the body too.
            (Found::Key(..), Body::Unread) if self.hide => Verdict::Buffer(self.body_limit),
            _ => {
                let attempt = self.attempt(cx, found);
                self.conclude(cx, head, attempt, None)
            }
        }
    }

    fn check_body(&self, cx: &Context, head: &mut request::Parts, mut body: Option<&mut Bytes>) -> Verdict {
        let encoding = Encoding::of(&head.headers);
        let fields = encoding.zip(body.as_deref()).and_then(|(encoding, body)| Fields::parse(encoding, body));
        let seen = fields.as_ref().map_or(Body::None, Body::Fields);
        let attempt = self.attempt(cx, search(&self.names, self.places, head, &seen));
        let hidden = fields.zip(body.take());
        self.conclude(cx, head, attempt, hidden)
    }
}

/// How a request tried to prove itself.
struct Attempt<'a> {
    /// The name that a key was found under, good or bad.
    name: Option<&'a KeyName>,
    /// The credential, or why there is none, in the words the client reads.
    credential: Result<&'a Credential, &'static str>,
}

impl KeyAuth {
    fn attempt<'a>(&'a self, cx: &'a Context, found: Found<'_>) -> Attempt<'a> {
        match found {
            Found::Key(index, key) => Attempt { name: self.names.get(index), credential: self.credential(cx, &key) },
            Found::Several => Attempt { name: None, credential: Err("Duplicate API key found") },
            Found::Nothing | Found::BodyNeeded => {
                Attempt { name: None, credential: Err("No API key found in request") }
            }
        }
    }

    fn credential<'a>(&'a self, cx: &'a Context, key: &[u8]) -> Result<&'a Credential, &'static str> {
        if key.is_empty() {
            return Err("No API key found in request");
        }
        let key = std::str::from_utf8(key).ok();
        let found = key
            .zip(self.accounts.directory(cx))
            .and_then(|(key, directory)| directory.credential(Self::CREDENTIALS, key));
        let now = cx.timing.started_at();
        found.filter(|credential| !credential.is_expired(now)).ok_or("Unauthorized")
    }

    fn conclude(
        &self,
        cx: &Context,
        head: &mut request::Parts,
        attempt: Attempt<'_>,
        body: Option<(Fields, &mut Bytes)>,
    ) -> Verdict {
        if let Some(name) = attempt.name.filter(|_| self.hide) {
            name.hide(head);
            if let Some((fields, body)) = body {
                hide_in_body(name, fields, body, &mut head.headers);
            }
        }
        match attempt.credential {
            Ok(credential) => {
                self.accounts.authenticate(cx, credential);
                identity::tell_proven(cx, &mut head.headers, credential);
                Verdict::Pass
            }
            Err(message) => self.anonymous.fail(cx, &self.accounts, &mut head.headers, || {
                Reply::error(StatusCode::UNAUTHORIZED, message)
                    .with_header(header::WWW_AUTHENTICATE, self.challenge.clone())
            }),
        }
    }
}

/// Removes a field from a body; a length that was told is told anew.
fn hide_in_body(name: &KeyName, fields: Fields, body: &mut Bytes, headers: &mut HeaderMap) {
    let Some(rest) = fields.without(name.as_str()) else { return };
    if headers.contains_key(header::CONTENT_LENGTH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(rest.len()));
    }
    *body = rest;
}
