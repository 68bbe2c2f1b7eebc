//! What it does to a request.

use std::time::{Duration, SystemTime};

use http::{HeaderName, request::Parts, uri::PathAndQuery};
use towergate_core::{Context, Env, Groups, Guard, Plugin, PluginError, Responding, ServiceOverride, Verdict};

use super::config::{CanaryConfig, CanaryHash};
use crate::{key::Key, layer::Choose};

/// Sends a part of the requests to a new version: the policy.
#[derive(Debug, Clone)]
pub struct Canary {
    rule: Rule,
    by_header: Option<HeaderName>,
    to: Option<ServiceOverride>,
    path: Option<String>,
    has_fallback: bool,
}

#[derive(Debug, Clone)]
enum Rule {
    /// A part of all keys.
    Part { key: Key, part: Part, steps: u32 },
    /// The members of these groups, or all others.
    Groups { groups: Groups, is_allowed: bool },
}

/// How much of all requests goes there.
#[derive(Debug, Clone, Copy)]
enum Part {
    Fixed(f64),
    /// From nothing at this time to all of it after so long.
    Growing(SystemTime, Duration),
}

impl Plugin for Canary {
    const NAME: &'static str = "canary";
    const PRIORITY: i32 = 20;

    type Config = CanaryConfig;

    fn new(config: CanaryConfig, _: &Env) -> Result<Self, PluginError> {
        Self::at(config, SystemTime::now())
    }

    fn overrides(&self) -> Vec<ServiceOverride> {
        self.to.iter().cloned().collect()
    }
}

impl Canary {
    /// So many per cent of the requests, kept together by this key.
    pub fn percentage(percentage: f64, key: Key) -> Self {
        Self::by(Rule::Part { key, part: Part::Fixed(percentage / 100.0), steps: 1000 })
    }

    /// More and more requests, kept together by this key: none at `start`, all of them after `duration`.
    pub fn growing(start: SystemTime, duration: Duration, key: Key) -> Self {
        Self::by(Rule::Part { key, part: Part::Growing(start, duration), steps: 1000 })
    }

    /// Lets clients decide themselves by this header: `always` or `never`.
    #[must_use]
    pub fn by_header(mut self, name: HeaderName) -> Self {
        self.by_header = Some(name);
        self
    }

    fn by(rule: Rule) -> Self {
        Self { rule, by_header: None, to: None, path: None, has_fallback: false }
    }

    /// The policy of this configuration, which comes into force now.
    fn at(config: CanaryConfig, now: SystemTime) -> Result<Self, PluginError> {
        let (host, port) = (config.upstream_host.clone(), config.upstream_port);
        if host.is_none() && port.is_none() && config.upstream_uri.is_none() {
            let message = "one of upstream_host, upstream_port and upstream_uri says where the canary is";
            return Err(PluginError::new("upstream_host", message));
        }
        if config.upstream_fallback && host.is_none() {
            let message = "needs upstream_host: only of an upstream it is known whether anybody is healthy";
            return Err(PluginError::new("upstream_fallback", message));
        }
        let by_header = config.canary_by_header_name.as_deref();
        Ok(Self {
            rule: rule(&config, now)?,
            by_header: by_header.map(|name| header("canary_by_header_name", name)).transpose()?,
            to: (host.is_some() || port.is_some()).then_some(ServiceOverride::Host { host, port }),
            path: config.upstream_uri.map(path).transpose()?,
            has_fallback: config.upstream_fallback,
        })
    }

    /// Whether this request meets the canary.
    fn takes(&self, cx: &Context, head: &Parts, now: SystemTime) -> bool {
        let said = self.by_header.as_ref().and_then(|name| head.headers.get(name)).map(|value| value.as_bytes());
        match (said, &self.rule) {
            (Some(b"always"), _) => true,
            (Some(b"never"), _) => false,
            (_, Rule::Groups { groups, is_allowed }) => is_in(cx, groups) == *is_allowed,
            (_, Rule::Part { key, part, steps }) => {
                f64::from(key.bucket(cx, head, *steps)) < part.at(now) * f64::from(*steps)
            }
        }
    }
}

impl Part {
    /// The fraction at this time.
    fn at(self, now: SystemTime) -> f64 {
        match self {
            Self::Fixed(part) => part,
            Self::Growing(start, duration) => match now.duration_since(start) {
                Ok(elapsed) if elapsed < duration => elapsed.as_secs_f64() / duration.as_secs_f64(),
                Ok(_) => 1.0,
                Err(_) => 0.0,
            },
        }
    }
}

fn rule(config: &CanaryConfig, now: SystemTime) -> Result<Rule, PluginError> {
    let groups = config.groups.clone().unwrap_or_default();
    let key = match config.hash.unwrap_or(CanaryHash::Consumer) {
        CanaryHash::Consumer => Key::Consumer,
        CanaryHash::Ip => Key::Ip,
        CanaryHash::None => Key::None,
        CanaryHash::Header => match config.hash_header.as_deref() {
            Some(name) => Key::Header(header("hash_header", name)?),
            None => return Err(PluginError::new("hash_header", "required when hash is header")),
        },
        CanaryHash::Allow | CanaryHash::Deny if groups.is_empty() => {
            return Err(PluginError::new("groups", "required when hash is allow or deny"));
        }
        hash => {
            let is_allowed = hash == CanaryHash::Allow;
            return Ok(Rule::Groups { groups: groups.into_iter().collect(), is_allowed });
        }
    };
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let part = match config.percentage {
        Some(percentage) => Part::Fixed(percentage / 100.0),
        None => {
            let start = config.start.and_then(|start| SystemTime::UNIX_EPOCH.checked_add(seconds(start)));
            Part::Growing(start.unwrap_or(now), seconds(config.duration.unwrap_or(3600.0)))
        }
    };
    // Fractions of a step are none; a float becomes the nearest number there is.
    Ok(Rule::Part { key, part, steps: (config.steps.unwrap_or(1000.0) as u32).max(1) })
}

fn header(field: &str, name: &str) -> Result<HeaderName, PluginError> {
    name.parse().map_err(|_| PluginError::new(field, format!("'{name}' is no name of a header")))
}

/// A path as it is sent.
fn path(uri: String) -> Result<String, PluginError> {
    let is_path = uri.starts_with('/') && !uri.contains(['?', '#']) && uri.parse::<PathAndQuery>().is_ok();
    let message = "must be a path: it begins with / and has no query";
    if is_path { Ok(uri) } else { Err(PluginError::new("upstream_uri", message)) }
}

/// Whether the consumer is in one of these groups, or another system says so of the request.
fn is_in(cx: &Context, groups: &Groups) -> bool {
    let of_consumer =
        cx.consumer().is_some_and(|consumer| consumer.acl_groups.iter().any(|name| groups.contains(name)));
    of_consumer || cx.authenticated_groups().iter().any(|name| groups.contains(name))
}

impl Choose for Canary {
    fn choose(&self, cx: &Context, head: &Parts) -> Option<usize> {
        self.takes(cx, head, SystemTime::now()).then_some(0)
    }
}

impl Guard for Canary {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, head: &mut Parts) -> Verdict {
        if !self.takes(cx, head, SystemTime::now()) {
            return Verdict::Pass;
        }
        if let Some(to) = &self.to {
            let is_usable = || cx.other_way(to).is_none_or(|way| (way.is_usable)());
            if self.has_fallback && !is_usable() {
                return Verdict::Pass;
            }
            cx.override_service(to);
        }
        if let Some(path) = &self.path {
            cx.set_upstream_path(path.as_str());
        }
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use towergate_core::{Accounts, Client, Consumer, Directory, Identity, Timing};

    use super::*;

    fn canary(config: CanaryConfig) -> Canary {
        Canary::new(config, &Env::default()).unwrap()
    }

    fn to_host() -> CanaryConfig {
        CanaryConfig { upstream_host: Some("new".into()), ..CanaryConfig::default() }
    }

    /// A request from this address with this header.
    fn request(address: u32, header: Option<(&'static str, &str)>) -> (Context, Parts) {
        let mut request = Request::get("/");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let client = Client { address: Some(std::net::Ipv4Addr::from(address).into()), ..Client::default() };
        (Context::new(client, &head, Timing::start(), None), head)
    }

    /// How many of 10,000 clients meet the canary at this time.
    fn share(policy: &Canary, now: SystemTime) -> usize {
        let clients = (0..10_000u32).map(|address| request(address, None));
        clients.filter(|(cx, head)| policy.takes(cx, head, now)).count()
    }

    #[test]
    fn a_percentage_is_kept_and_clients_stay() {
        let now = SystemTime::now();
        for (percentage, expected) in [(0.0, 0), (1.0, 100), (10.0, 1_000), (50.0, 5_000), (100.0, 10_000)] {
            for hash in [CanaryHash::Ip, CanaryHash::Consumer, CanaryHash::None, CanaryHash::Header] {
                let policy = canary(CanaryConfig {
                    percentage: Some(percentage),
                    hash: Some(hash),
                    hash_header: Some("x-user".into()),
                    ..to_host()
                });
                // What goes by chance is asked more often: once, one half is 2 percent off in 16,000 runs.
                let times = if hash == CanaryHash::None { 4 } else { 1 };
                let met = (0..times).map(|_| share(&policy, now)).sum::<usize>() / times;
                assert!(met.abs_diff(expected) <= 200, "{percentage} % by {hash:?}: {met} of 10,000");
                let (cx, head) = request(7, None);
                let first = policy.takes(&cx, &head, now);
                assert!(hash == CanaryHash::None || (0..20).all(|_| policy.takes(&cx, &head, now) == first));
            }
        }
    }

    #[test]
    fn it_grows_from_none_to_all_and_nobody_goes_back() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let policy = canary(CanaryConfig {
            start: Some(1_000_000.0),
            duration: Some(100.0),
            hash: Some(CanaryHash::Ip),
            ..to_host()
        });
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!((share(&policy, start - Duration::from_secs(5)), share(&policy, start)), (0, 0));
        for (seconds, expected) in [(10, 1_000usize), (50, 5_000), (90, 9_000), (100, 10_000), (9_999, 10_000)] {
            let met = share(&policy, later(seconds));
            assert!(met.abs_diff(expected) <= 200, "{met} after {seconds} s");
        }
        for address in 0..200 {
            let (cx, head) = request(address, None);
            let met: Vec<_> = (0..=100).map(|seconds| policy.takes(&cx, &head, later(seconds))).collect();
            assert!(met.is_sorted(), "{address} went back");
        }
    }

    #[test]
    fn without_a_start_it_begins_with_the_configuration() {
        let now = SystemTime::now();
        let policy = Canary::at(CanaryConfig { duration: Some(100.0), ..to_host() }, now).unwrap();
        assert_eq!((share(&policy, now), share(&policy, now + Duration::from_secs(100))), (0, 10_000));
    }

    #[test]
    fn a_header_is_hashed() {
        let policy = canary(CanaryConfig {
            percentage: Some(50.0),
            hash: Some(CanaryHash::Header),
            hash_header: Some("x-user".into()),
            ..to_host()
        });
        let met = |address, user: &str| {
            let (cx, head) = request(address, Some(("x-user", user)));
            policy.takes(&cx, &head, SystemTime::now())
        };
        assert!((0..50).all(|n| met(n, "alice") == met(0, "alice")), "wherever she comes from");
        assert!((0..50).any(|n| met(0, &n.to_string()) != met(0, "0")));
    }

    #[test]
    fn a_client_may_decide_itself() {
        for (percentage, value, expected) in
            [(0.0, "always", true), (100.0, "never", false), (0.0, "Always", false), (100.0, "", true)]
        {
            let policy = canary(CanaryConfig {
                percentage: Some(percentage),
                canary_by_header_name: Some("X-Canary".into()),
                ..to_host()
            });
            let (cx, head) = request(1, Some(("x-canary", value)));
            assert_eq!(policy.takes(&cx, &head, SystemTime::now()), expected, "{value}");
        }
    }

    #[test]
    fn groups_decide_alone() {
        let mut alice = Consumer::named("alice");
        alice.acl_groups = ["beta".to_owned()].into_iter().collect();
        let accounts = Accounts::own(Arc::new(Directory::builder().consumer(alice).build()));
        let beta = || {
            let (cx, head) = request(1, None);
            accounts.admit_anonymous(&cx, accounts.directory(&cx).unwrap().consumer_named("alice").unwrap());
            (cx, head)
        };
        let told = || {
            let (cx, head) = request(1, None);
            cx.identify(Identity::with_groups(vec!["beta".into()]));
            (cx, head)
        };
        for (hash, of_group, of_nobody) in [(CanaryHash::Allow, true, false), (CanaryHash::Deny, false, true)] {
            let config = CanaryConfig { hash: Some(hash), groups: Some(vec!["beta".into(), "qa".into()]), ..to_host() };
            let policy = canary(config);
            let met = |(cx, head): (Context, Parts)| policy.takes(&cx, &head, SystemTime::now());
            assert_eq!((met(beta()), met(told()), met(request(1, None))), (of_group, of_group, of_nobody));
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let base = CanaryConfig { percentage: Some(1.0), ..CanaryConfig::default() };
        for (config, expected) in [
            (
                base.clone(),
                "upstream_host: one of upstream_host, upstream_port and upstream_uri says where the canary is",
            ),
            (
                CanaryConfig { upstream_port: Some(80), upstream_fallback: true, ..base.clone() },
                "upstream_fallback: needs upstream_host: only of an upstream it is known whether anybody is healthy",
            ),
            (CanaryConfig { hash: Some(CanaryHash::Header), ..to_host() }, "hash_header: required when hash is header"),
            (CanaryConfig { hash: Some(CanaryHash::Deny), ..to_host() }, "groups: required when hash is allow or deny"),
            (
                CanaryConfig { canary_by_header_name: Some("a b".into()), ..to_host() },
                "canary_by_header_name: 'a b' is no name of a header",
            ),
            (
                CanaryConfig { upstream_uri: Some("v2?a".into()), ..base },
                "upstream_uri: must be a path: it begins with / and has no query",
            ),
        ] {
            assert_eq!(Canary::new(config, &Env::default()).unwrap_err().to_string(), expected);
        }
    }
}
