//! What is done to a request: the policy, and the plugin that makes it of a configuration.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request};
use towergate_core::{
    Accounts, Consumer, Context, Directory, Env, Guard, PeerCertificate, Plugin, PluginError, Reply, Responding, Task,
    Verdict,
};
use uuid::Uuid;

use super::{
    certificate::Subject,
    config::MtlsAuthConfig,
    verify::{Trust, Verified},
};
use crate::{anonymous::Anonymous, identity, per_worker::PerWorker};

const CERTIFICATE_DN: HeaderName = HeaderName::from_static("x-client-cert-dn");
const CERTIFICATE_SAN: HeaderName = HeaderName::from_static("x-client-cert-san");

/// How many bytes of certificates each worker remembers.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Finds out by a client certificate who a request is from: the policy.
#[derive(Debug, Clone)]
pub struct MtlsAuth {
    pub(super) trust: Trust,
    pub(super) consumers: Consumers,
    pub(super) group_by: GroupBy,
    pub(super) anonymous: Anonymous,
    pub(super) accounts: Accounts,
    /// What was asked for and is not done.
    pub(super) silent_about: Option<&'static str>,
    pub(super) verified: PerWorker<Verified>,
}

/// How a certificate names its consumer.
#[derive(Debug, Clone, Default)]
pub(super) struct Consumers {
    pub(super) by: Vec<By>,
    pub(super) default: Option<String>,
    /// No consumer is looked for.
    pub(super) skip: bool,
}

/// By what a consumer is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Username,
    CustomId,
}

/// What the group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupBy {
    CommonName,
    DistinguishedName,
}

/// Why a request does not prove by a certificate who it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NoCertificate,
    NotGood,
}

impl Plugin for MtlsAuth {
    const NAME: &'static str = "mtls-auth";
    const PRIORITY: i32 = 1600;
    const CONSUMER_SCOPE: bool = false;
    const AUTHORITIES_FIELD: Option<&'static str> = Some("ca_certificates");

    type Config = MtlsAuthConfig;

    fn new(config: MtlsAuthConfig, _: &Env) -> Result<Self, PluginError> {
        if config.revocation_check_mode.as_deref() == Some("STRICT") {
            let message =
                "this version does not look whether a certificate was taken back: take SKIP or IGNORE_CA_ERROR";
            return Err(PluginError::new("revocation_check_mode", message));
        }
        let skips_revocation = config.revocation_check_mode.as_deref() == Some("SKIP");
        Ok(Self {
            trust: Trust {
                authorities: authorities(&config.ca_certificates)?,
                partial_chains: config.allow_partial_chain.unwrap_or(false),
            },
            consumers: Consumers {
                by: config.consumer_by.iter().flatten().filter_map(|name| By::named(name)).collect(),
                default: config.default_consumer,
                skip: config.skip_consumer_lookup.unwrap_or(false),
            },
            group_by: match config.authenticated_group_by.as_deref() {
                Some("DN") => GroupBy::DistinguishedName,
                _ => GroupBy::CommonName,
            },
            anonymous: Anonymous::new(config.anonymous),
            accounts: Accounts::default(),
            silent_about: (!skips_revocation)
                .then_some("revocation_check_mode: certificates that were taken back count"),
            verified: PerWorker::new(CACHE_BYTES),
        })
    }

    /// Nothing to do beside requests; but once in force, what is not done is said.
    fn background(self: &Arc<Self>) -> Option<Task> {
        if let Some(what) = self.silent_about {
            tracing::warn!("mtls-auth: {what}: this version does not look (OCSP, CRL); SKIP says that this is meant");
        }
        None
    }
}

impl MtlsAuth {
    /// Kong's defaults, for these authorities.
    pub(super) fn with_defaults(authorities: Vec<Uuid>) -> Self {
        Self {
            trust: Trust { authorities, partial_chains: false },
            consumers: Consumers { by: vec![By::Username, By::CustomId], default: None, skip: false },
            group_by: GroupBy::CommonName,
            anonymous: Anonymous::default(),
            accounts: Accounts::default(),
            silent_about: None,
            verified: PerWorker::new(CACHE_BYTES),
        }
    }
}

fn authorities(ids: &[String]) -> Result<Vec<Uuid>, PluginError> {
    let parse = |(index, id): (usize, &String)| {
        id.parse().map_err(|_| PluginError::new(format!("ca_certificates[{index}]"), "expected a valid UUID"))
    };
    ids.iter().enumerate().map(parse).collect()
}

impl By {
    fn named(name: &str) -> Option<Self> {
        match name {
            "username" => Some(Self::Username),
            "custom_id" => Some(Self::CustomId),
            _ => None,
        }
    }

    fn find<'a>(self, directory: &'a Directory, name: &str) -> Option<&'a Consumer> {
        match self {
            Self::Username => directory.consumer_by_username(name),
            Self::CustomId => directory.consumer_by_custom_id(name),
        }
    }
}

impl Guard for MtlsAuth {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        if self.anonymous.is_settled(cx) {
            return Verdict::Pass;
        }
        clear(&mut head.headers);
        match self.attempt(cx, head) {
            Ok((subject, consumer)) => {
                self.admit(cx, head, &subject, consumer);
                Verdict::Pass
            }
            Err(refusal) => self.anonymous.fail(cx, &self.accounts, &mut head.headers, || {
                let message = match refusal {
                    Refusal::NoCertificate => "No required TLS certificate was sent",
                    Refusal::NotGood => "TLS certificate failed verification",
                };
                Reply::exit(StatusCode::UNAUTHORIZED, message)
            }),
        }
    }
}

/// What a client says of its certificate is not the certificate.
fn clear(headers: &mut HeaderMap) {
    headers.remove(CERTIFICATE_DN);
    headers.remove(CERTIFICATE_SAN);
}

impl MtlsAuth {
    fn attempt<'a>(
        &'a self,
        cx: &'a Context,
        head: &request::Parts,
    ) -> Result<(Arc<Subject>, Option<&'a Consumer>), Refusal> {
        let shown = cx.client.certificate.as_ref().or_else(|| head.extensions.get::<Arc<PeerCertificate>>());
        let shown = shown.ok_or(Refusal::NoCertificate)?;
        let directory = self.accounts.directory(cx).ok_or(Refusal::NotGood)?;
        let now = seconds(cx.timing.started_at());
        let subject = self.trust.subject(directory, shown, now, &self.verified).ok_or(Refusal::NotGood)?;
        if self.consumers.skip {
            return Ok((subject, None));
        }
        let by = |name| self.consumers.by.iter().find_map(|by| by.find(directory, name));
        let named = subject.names().find_map(by);
        let default = || directory.consumer_named(self.consumers.default.as_deref()?);
        let consumer = named.or_else(default).ok_or(Refusal::NotGood)?;
        Ok((subject, Some(consumer)))
    }

    fn admit(&self, cx: &Context, head: &mut request::Parts, subject: &Subject, consumer: Option<&Consumer>) {
        identity::write_vouched(&mut head.headers, consumer, None);
        let mut groups = Vec::new();
        if self.consumers.skip {
            let set = |headers: &mut HeaderMap, name, text: &str| {
                if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                    headers.insert(name, value);
                }
            };
            set(&mut head.headers, CERTIFICATE_DN, &subject.distinguished_name);
            set(&mut head.headers, CERTIFICATE_SAN, &subject.alternative_names.join(","));
            groups.extend(match self.group_by {
                GroupBy::CommonName => subject.common_name.clone(),
                GroupBy::DistinguishedName => Some(subject.distinguished_name.clone()),
            });
        }
        self.accounts.vouch(cx, consumer, subject.distinguished_name.as_str(), groups);
    }
}

/// Whole seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
