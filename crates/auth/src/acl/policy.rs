//! What it does to a request.

use http::{StatusCode, request};
use towergate_core::{Consumer, Context, Env, Groups, Guard, Plugin, PluginError, Reply, Responding, Verdict};

use super::config::AclConfig;
use crate::identity::{self, Membership};

/// Lets requests pass or not by the groups they are from: the policy.
#[derive(Debug, Clone)]
pub struct Acl {
    pub(super) listed: Groups,
    /// Whether the members of the listed groups are those who may not pass.
    pub(super) denies: bool,
    pub(super) hide: bool,
    pub(super) always_authenticated: bool,
    pub(super) include_consumer_groups: bool,
}

impl Plugin for Acl {
    const NAME: &'static str = "acl";
    const PRIORITY: i32 = 950;
    const CONSUMER_SCOPE: bool = false;

    type Config = AclConfig;

    fn new(config: AclConfig, _: &Env) -> Result<Self, PluginError> {
        let (allow, deny) = (config.allow.unwrap_or_default(), config.deny.unwrap_or_default());
        let denies = !deny.is_empty();
        Ok(Self {
            listed: if denies { deny } else { allow }.into_iter().collect(),
            denies,
            hide: config.hide_groups_header,
            always_authenticated: config.always_use_authenticated_groups,
            include_consumer_groups: config.include_consumer_groups,
        })
    }
}

impl Guard for Acl {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        let told = cx.authenticated_groups();
        let is_proven = cx.credential().is_some();
        let by_told = !told.is_empty() && (!is_proven || self.always_authenticated);
        let (kind, groups) = match cx.consumer() {
            Some(consumer) if !by_told => match self.of_consumer(cx, consumer) {
                Ok(groups) => (Membership::Consumer, groups),
                Err(NoGroups) => return refuse(is_proven),
            },
            _ if told.is_empty() => return refuse(is_proven),
            _ => (Membership::Authenticated, self.of_told(told)),
        };
        let Some(groups) = groups else { return refuse(true) };
        identity::write_groups(&mut head.headers, kind, (!self.hide).then_some(&groups));
        Verdict::Pass
    }
}

/// A consumer in no group cannot be in one that is allowed.
struct NoGroups;

impl Acl {
    /// What to tell the upstream of a consumer's groups; `None` if it may not pass.
    fn of_consumer(&self, cx: &Context, consumer: &Consumer) -> Result<Option<String>, NoGroups> {
        let of_core = || cx.consumer_group_names().filter(|_| self.include_consumer_groups);
        if !self.denies && consumer.acl_groups.is_empty() && of_core().next().is_none() {
            return Err(NoGroups);
        }
        let is_listed = self.lists_any(&consumer.acl_groups) || of_core().any(|name| self.listed.contains(name));
        Ok((is_listed != self.denies).then(|| self.told(consumer.acl_groups.iter().chain(of_core()))))
    }

    /// The same of groups that another system told.
    fn of_told(&self, groups: &[String]) -> Option<String> {
        let is_listed = groups.iter().any(|name| self.listed.contains(name));
        (is_listed != self.denies).then(|| self.told(groups.iter().map(String::as_str)))
    }

    /// Whether one of these is listed: each of the shorter list is looked up in the longer.
    fn lists_any(&self, groups: &Groups) -> bool {
        if groups.len() <= self.listed.len() {
            groups.iter().any(|name| self.listed.contains(name))
        } else {
            self.listed.iter().any(|name| groups.contains(name))
        }
    }

    fn told<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let mut text = String::new();
        for name in names.filter(|_| !self.hide) {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(name);
        }
        text
    }
}

/// Somebody is told that they may not; nobody, to say first who they are.
fn refuse(is_somebody: bool) -> Verdict {
    Verdict::Refuse(if is_somebody {
        Reply::error(StatusCode::FORBIDDEN, "You cannot consume this service")
    } else {
        Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized")
    })
}
