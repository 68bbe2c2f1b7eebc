//! What it does to a request.

use std::{net::IpAddr, sync::Arc};

use http::{StatusCode, request};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Reply, Responding, Verdict};

use crate::{addresses::Addresses, config::IpRestrictionConfig};

/// Finds the client's address in the head of a request.
pub type ClientAddress = fn(&request::Parts) -> Option<IpAddr>;

/// Lets requests pass or not by their client's address: the policy.
#[derive(Debug, Clone)]
pub struct IpRestriction {
    pub(crate) deny: Arc<Addresses>,
    pub(crate) allow: Arc<Addresses>,
    pub(crate) status: StatusCode,
    pub(crate) message: Option<Arc<str>>,
    pub(crate) client_address: Option<ClientAddress>,
}

impl Default for IpRestriction {
    /// Everybody may ask.
    fn default() -> Self {
        Self {
            deny: Arc::default(),
            allow: Arc::default(),
            status: StatusCode::FORBIDDEN,
            message: None,
            client_address: None,
        }
    }
}

impl Plugin for IpRestriction {
    const NAME: &'static str = "ip-restriction";
    const PRIORITY: i32 = 990;
    const PROTOCOLS: &'static [&'static str] = &["grpc", "grpcs", "http", "https", "tcp", "tls"];

    type Config = IpRestrictionConfig;

    fn new(config: IpRestrictionConfig, _: &Env) -> Result<Self, PluginError> {
        Ok(Self {
            deny: Arc::new(addresses("deny", config.deny.unwrap_or_default())?),
            allow: Arc::new(addresses("allow", config.allow.unwrap_or_default())?),
            status: config.status.map_or(Ok(StatusCode::FORBIDDEN), status)?,
            message: config.message.map(Into::into),
            client_address: None,
        })
    }
}

/// The set of the entries of this list.
pub(crate) fn addresses<T: AsRef<str>>(
    list: &str,
    entries: impl IntoIterator<Item = T>,
) -> Result<Addresses, PluginError> {
    let entries: Vec<T> = entries.into_iter().collect();
    Addresses::parse(entries.iter().map(AsRef::as_ref)).map_err(|index| {
        let entry = entries.get(index).map_or("", AsRef::as_ref);
        // Kong's words.
        PluginError::new(format!("{list}[{index}]"), format!("invalid ip or cidr range: '{entry}'"))
    })
}

/// Kong takes any number, and fails when it refuses somebody with one that is no status of an error.
fn status(number: f64) -> Result<StatusCode, PluginError> {
    let whole = (400.0..=599.0).contains(&number) && number.fract() == 0.0;
    // In range, so that no digit is lost.
    let status = whole.then_some(number as u16).and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or_else(|| PluginError::new("status", "must be a whole number from 400 to 599: it refuses a request"))
}

impl Guard for IpRestriction {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        let address = match self.client_address {
            Some(find) => find(head),
            None => cx.client.address,
        };
        match address.map(|address| address.to_canonical()) {
            Some(address) if self.admits(address) => Verdict::Pass,
            Some(address) => Verdict::Refuse(self.refusal(address)),
            None => Verdict::Refuse(Reply::error(
                StatusCode::FORBIDDEN,
                "Cannot identify the client IP address, unix domain sockets are not supported.",
            )),
        }
    }
}

impl IpRestriction {
    /// Whether requests from this address may pass.
    pub fn admits(&self, address: IpAddr) -> bool {
        !self.deny.contains(address) && (self.allow.is_empty() || self.allow.contains(address))
    }

    fn refusal(&self, address: IpAddr) -> Reply {
        match &self.message {
            Some(message) => Reply::error(self.status, message.to_string()),
            None => Reply::error(self.status, format!("IP address not allowed: {address}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> IpRestriction {
        let list = |entries: &[&str]| Some(entries.iter().map(|entry| (*entry).to_owned()).collect());
        let config = IpRestrictionConfig { allow: list(allow), deny: list(deny), ..Default::default() };
        IpRestriction::new(config, &Env::default()).unwrap()
    }

    /// Kong's own table, for a client at 127.0.0.1.
    #[test]
    fn deny_goes_before_allow() {
        let cases: [(&[&str], &[&str], bool); 11] = [
            (&[], &["127.0.0.1", "127.0.0.2"], false),
            (&[], &["127.0.0.2"], true),
            (&["127.0.0.2"], &[], false),
            (&["127.0.0.1"], &[], true),
            (&[], &["127.0.0.0/24"], false),
            (&["0.0.0.0/0"], &[], true),
            (&["127.0.0.1"], &["127.0.0.1"], false),
            (&["127.0.0.0/24"], &["127.0.0.1"], false),
            (&["127.0.0.0/24"], &["127.0.0.0/24"], false),
            (&["127.0.0.0/24"], &["127.0.0.2"], true),
            (&["::/0"], &[], false),
        ];
        for (allow, deny, expected) in cases {
            assert_eq!(policy(allow, deny).admits("127.0.0.1".parse().unwrap()), expected, "{allow:?} {deny:?}");
        }
    }

    #[test]
    fn only_statuses_of_errors_refuse() {
        for good in [400.0, 403.0, 599.0] {
            assert_eq!(f64::from(status(good).unwrap().as_u16()), good);
        }
        for bad in [200.0, 399.0, 600.0, 403.5, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let error = status(bad).unwrap_err();
            assert_eq!(error.to_string(), "status: must be a whole number from 400 to 599: it refuses a request");
        }
    }
}
