//! What a page may make a browser ask of us.
//!
//! A browser runs on the machines that reach the Admin API, and sends requests for any page it shows: with
//! forms, which need no permission, and by calling a name of the page's own that suddenly means this
//! machine (DNS rebinding). What it sends tells which page it was.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Request, Uri, header};

use super::{Access, Denied, Peer};

impl Access {
    /// Whether a page of this origin may use the Admin API and read what it answers.
    ///
    /// What `admin_gui_url` says counts as in Kong. Where it says nothing: pages of this gateway, and of
    /// this machine; and all, if everybody has to show a token, which no page of a stranger has.
    pub(crate) fn allows_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if !self.origins.is_empty() {
            return self.origins.contains(&origin) || is_same(&origin, host);
        }
        let is_asked_for_tokens = self.authenticates() && !self.certificates;
        is_asked_for_tokens || is_same(&origin, host) || is_of_this_machine(name_of(authority_of(&origin)))
    }

    /// Whether the settings name this origin.
    pub(crate) fn names_origin(&self, origin: &str) -> bool {
        self.origins.contains(&origin.to_ascii_lowercase())
    }

    /// What is answered to pages of other origins, as in Kong.
    pub(crate) fn first_origin(&self) -> Option<&str> {
        self.origins.first().map(String::as_str)
    }

    /// Whether a page was allowed to make a browser ask for a change.
    pub(super) fn check_page(&self, headers: &HeaderMap, host: Option<&str>) -> Result<(), Denied> {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let allowed = match (text(header::ORIGIN), text(header::HeaderName::from_static("sec-fetch-site"))) {
            (Some(origin), _) => self.allows_origin(origin, host),
            (None, Some(site)) => site != "cross-site",
            (None, None) => true,
        };
        if allowed { Ok(()) } else { Err(Denied::ForeignPage) }
    }

    /// Whether the gateway may be called so on a loopback address.
    pub(super) fn check_host(&self, host: Option<&str>, peer: Option<&Peer>) -> Result<(), Denied> {
        let is_loopback = peer.is_some_and(|peer| peer.local.ip().to_canonical().is_loopback());
        let Some(host) = host.filter(|_| is_loopback && !self.authenticates()) else { return Ok(()) };
        let name = name_of(host).to_ascii_lowercase();
        let is_ours = name.parse::<IpAddr>().is_ok()
            || is_of_this_machine(&name)
            || self.allowed_hosts.iter().any(|allowed| *allowed == name || allowed == "*")
            || crate::node::hostname().eq_ignore_ascii_case(&name);
        if is_ours { Ok(()) } else { Err(Denied::ForeignHost(name)) }
    }
}

/// What the client calls the gateway.
pub(crate) fn host_of<B>(request: &Request<B>) -> Option<String> {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    request.uri().authority().map(|authority| authority.as_str()).or(header).map(str::to_ascii_lowercase)
}

fn is_same(origin: &str, host: Option<&str>) -> bool {
    host.is_some_and(|host| authority_of(origin).eq_ignore_ascii_case(host))
}

fn authority_of(origin: &str) -> &str {
    origin.split_once("://").map_or("", |(_, authority)| authority)
}

/// A host without its port, an IPv6 address without its brackets.
fn name_of(host: &str) -> &str {
    let authority = host.parse::<Uri>().ok().and_then(|uri| uri.into_parts().authority);
    let length = authority.map_or(host.len(), |authority| authority.host().len());
    let name = host.get(..length).unwrap_or(host);
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

fn is_of_this_machine(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(local: [u8; 4]) -> Peer {
        Peer { address: ([127, 0, 0, 1], 1).into(), local: (local, 8001).into(), names: None }
    }

    #[test]
    fn a_name_that_is_not_this_machine_s_is_no_loopback_address() {
        let access = Access { allowed_hosts: vec!["kong-admin".into()], ..Access::default() };
        for (host, allowed) in [
            ("127.0.0.1:8001", true),
            ("[::1]:8001", true),
            ("localhost", true),
            ("LOCALHOST:8001", true),
            ("gateway.localhost:8001", true),
            ("kong-admin:8001", true),
            ("10.0.0.1:8001", true),
            ("rebound.example.com:8001", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com:8001", false),
        ] {
            let told = access.check_host(Some(host), Some(&at([127, 0, 0, 1])));
            assert_eq!(told.is_ok(), allowed, "{host}: {told:?}");
            assert!(access.check_host(Some(host), Some(&at([10, 0, 0, 1]))).is_ok(), "{host}");
        }
        assert!(access.check_host(None, Some(&at([127, 0, 0, 1]))).is_ok(), "HTTP/1.0");
    }

    #[test]
    fn pages_of_strangers_may_not_make_browsers_ask() {
        let open = Access::default();
        let gui = Access { origins: vec!["https://manager.example.com".into()], ..Access::default() };
        for (access, origin, allowed) in [
            (&open, "http://localhost:8002", true),
            (&open, "http://127.0.0.1:3000", true),
            (&open, "http://[::1]:3000", true),
            (&open, "http://gateway.lan:8001", true),
            (&open, "http://gateway.lan:9999", false),
            (&open, "https://evil.example.com", false),
            (&open, "http://localhost.evil.example.com", false),
            (&open, "null", false),
            (&gui, "https://manager.example.com", true),
            (&gui, "https://MANAGER.example.com", true),
            (&gui, "http://manager.example.com", false),
            (&gui, "http://localhost:8002", false),
        ] {
            assert_eq!(access.allows_origin(origin, Some("gateway.lan:8001")), allowed, "{origin}");
        }
    }

    #[test]
    fn a_browser_tells_when_it_does_not_say_where_it_comes_from() {
        for (site, allowed) in [("cross-site", false), ("same-origin", true), ("none", true)] {
            let headers =
                HeaderMap::from_iter([(header::HeaderName::from_static("sec-fetch-site"), site.parse().unwrap())]);
            assert_eq!(Access::default().check_page(&headers, None).is_ok(), allowed, "{site}");
        }
        assert!(Access::default().check_page(&HeaderMap::new(), None).is_ok(), "not a browser");
    }
}
