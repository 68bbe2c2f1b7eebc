//! Who may do what: tokens, clients' certificates, roles, and what browsers may not be made to do.

mod browser;
mod guard;

use std::{net::SocketAddr, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, Method, header};
use subtle::ConstantTimeEq;
use towergate_config::settings::{AdminAccess, AdminClient, AdminRole, AdminToken};

pub(crate) use browser::host_of;
pub(crate) use guard::{guard, guard_pages};

/// Who is at the other end of a connection. Whoever accepts connections puts it into the extensions
/// of their requests.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Their address.
    pub address: SocketAddr,
    /// The address they have connected to.
    pub local: SocketAddr,
    /// The names in the certificate they have shown, if it was issued by an authority that may say
    /// who uses the Admin API.
    pub names: Option<Arc<[String]>>,
}

/// Who asks for something, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name of the token or in the certificate; none if nobody is asked who they are.
    pub(crate) name: Option<String>,
    /// How that is known.
    pub(crate) by: &'static str,
    /// What they may do.
    pub(crate) role: AdminRole,
}

/// Why somebody may not do what they want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Nobody is known by what was shown, or nothing was.
    Unknown,
    /// The role of this caller does not allow it.
    Forbidden(Caller),
    /// A browser was made to ask by a page that has no business here.
    ForeignPage,
    /// The gateway is not called so.
    ForeignHost(String),
}

/// Who may use the Admin API.
#[derive(Debug, Clone, Default)]
pub struct Access {
    tokens: Vec<AdminToken>,
    /// Whether clients may show certificates.
    certificates: bool,
    clients: Vec<AdminClient>,
    allowed_hosts: Vec<String>,
    origins: Vec<String>,
}

impl Access {
    /// What the settings say, with the tokens of the files they name.
    #[must_use]
    pub fn new(settings: &AdminAccess, of_files: Vec<AdminToken>) -> Self {
        Self {
            tokens: settings.tokens.iter().cloned().chain(of_files).collect(),
            certificates: !settings.client_authorities.is_empty(),
            clients: settings.clients.clone(),
            allowed_hosts: settings.allowed_hosts.clone(),
            origins: settings.origins.clone(),
        }
    }

    /// Whether anybody is asked who they are.
    fn authenticates(&self) -> bool {
        self.certificates || !self.tokens.is_empty()
    }

    /// Who asks, by what they show: a token before a certificate.
    fn identify(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, Denied> {
        if !self.authenticates() {
            return Ok(Caller { name: None, by: "nobody is asked", role: AdminRole::Admin });
        }
        if let Some(token) = token(headers) {
            return self.by_token(token).ok_or(Denied::Unknown);
        }
        peer.and_then(|peer| peer.names.as_deref()).and_then(|names| self.by_certificate(names)).ok_or(Denied::Unknown)
    }

    /// All tokens are compared, each in the same time whatever it is.
    fn by_token(&self, token: &[u8]) -> Option<Caller> {
        let hash = digest(&SHA256, token);
        let is_it = |known: &&AdminToken| bool::from(known.sha256.ct_eq(hash.as_ref()));
        let mut found: Vec<_> = self.tokens.iter().filter(is_it).collect();
        // One token with two roles: the least counts.
        found.sort_by_key(|known| known.role == AdminRole::Admin);
        let known = found.first()?;
        Some(Caller { name: Some(known.name.clone()), by: "token", role: known.role })
    }

    fn by_certificate(&self, names: &[String]) -> Option<Caller> {
        if self.clients.is_empty() {
            return Some(Caller { name: names.first().cloned(), by: "certificate", role: AdminRole::Admin });
        }
        let client = self.clients.iter().find(|client| names.contains(&client.name))?;
        Some(Caller { name: Some(client.name.clone()), by: "certificate", role: client.role })
    }
}

/// `Authorization: Bearer`, or what Kong Enterprise and its tools show.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get("kong-admin-token") {
        return Some(value.as_bytes());
    }
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

/// Whether it changes something. Some paths are asked by `POST` and only answer.
pub(crate) fn is_write(method: &Method, path: &str) -> bool {
    let only_answers = path == "/explain" || (path.starts_with("/schemas/") && path.ends_with("/validate"));
    !(method.is_safe() || (only_answers && method == Method::POST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(role: AdminRole, name: &str, token: &str) -> AdminToken {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        AdminToken { role, name: name.to_owned(), sha256 }
    }

    fn access() -> Access {
        let clients = [(AdminRole::Admin, "ops.example.com"), (AdminRole::ReadOnly, "watch.example.com")];
        let clients = clients.map(|(role, name)| AdminClient { role, name: name.to_owned() }).to_vec();
        let tokens = vec![known(AdminRole::Admin, "alice", "a-token"), known(AdminRole::ReadOnly, "bob", "b-token")];
        Access { tokens, certificates: true, clients, ..Access::default() }
    }

    fn peer(names: &[&str]) -> Peer {
        let names = (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect());
        Peer { address: ([127, 0, 0, 1], 1).into(), local: ([127, 0, 0, 1], 8444).into(), names }
    }

    #[test]
    fn who_asks_is_known_by_token_or_certificate() {
        for (header, value, names, expected) in [
            ("authorization", "Bearer a-token", &[][..], Some(("alice", AdminRole::Admin))),
            ("authorization", "bearer b-token", &[], Some(("bob", AdminRole::ReadOnly))),
            ("kong-admin-token", "a-token", &[], Some(("alice", AdminRole::Admin))),
            ("authorization", "Bearer a-token2", &[], None),
            ("authorization", "Basic a-token", &[], None),
            ("authorization", "Bearer ", &[], None),
            ("x-other", "a-token", &[], None),
            ("x-other", "", &["a.example.com", "ops.example.com"], Some(("ops.example.com", AdminRole::Admin))),
            ("x-other", "", &["watch.example.com"], Some(("watch.example.com", AdminRole::ReadOnly))),
            ("x-other", "", &["stranger.example.com"], None),
            // A wrong token is not made good by a certificate.
            ("authorization", "Bearer wrong", &["ops.example.com"], None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header, value.parse().unwrap());
            let caller = access().identify(&headers, Some(&peer(names))).ok();
            let found = caller.as_ref().map(|caller| (caller.name.as_deref().unwrap(), caller.role));
            assert_eq!(found, expected, "{header}: {value} {names:?}");
        }
    }

    #[test]
    fn without_names_in_the_settings_every_certificate_is_an_admin_s() {
        let access = Access { clients: Vec::new(), ..access() };
        let caller = access.identify(&HeaderMap::new(), Some(&peer(&["x"]))).unwrap();
        assert_eq!((caller.name.as_deref(), caller.role), (Some("x"), AdminRole::Admin));
        assert_eq!(access.identify(&HeaderMap::new(), Some(&peer(&[]))), Err(Denied::Unknown));
        assert_eq!(access.identify(&HeaderMap::new(), None), Err(Denied::Unknown));
    }

    #[test]
    fn what_only_answers_is_no_write() {
        for (method, path, expected) in [
            (Method::GET, "/config", false),
            (Method::HEAD, "/", false),
            (Method::OPTIONS, "/config", false),
            (Method::POST, "/config", true),
            (Method::PUT, "/debug/node/log-level/debug", true),
            (Method::DELETE, "/services/a", true),
            (Method::PATCH, "/services/a", true),
            (Method::POST, "/explain", false),
            (Method::POST, "/schemas/plugins/validate", false),
            (Method::DELETE, "/explain", true),
        ] {
            assert_eq!(is_write(&method, path), expected, "{method} {path}");
        }
    }
}
