use std::sync::Arc;

use http::Request;
use towergate_core::{Client, Matched, Plan, Protocol, Route, Scheme, Timing};
use uuid::Uuid;

use super::*;

#[test]
fn names_of_our_own_are_spelled_as_what_they_are() {
    let own = [
        COOKIE,
        VIA,
        X_REAL_IP,
        X_FORWARDED_FOR,
        X_FORWARDED_PROTO,
        X_FORWARDED_HOST,
        X_FORWARDED_PORT,
        X_FORWARDED_PATH,
        X_FORWARDED_PREFIX,
        X_KONG_REQUEST_ID,
    ];
    for own in own {
        assert_eq!(own.written.parse::<HeaderName>().unwrap(), own.name);
    }
}

struct Case {
    trusted: bool,
    strip_path: bool,
    version: Version,
    settings: ProxySettings,
    length: Length,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            trusted: false,
            strip_path: true,
            version: Version::HTTP_11,
            settings: ProxySettings { via_token: "kong/3.9.1".into(), ..Default::default() },
            length: Length::Known(0),
        }
    }
}

impl Case {
    /// What goes upstream of a request with these headers for `https://Shop.test:8443/api/v1/a%20b?q`,
    /// received on port 8443 from 203.0.113.9, speaking for 198.51.100.7, on a route with path `/api`.
    fn sends(&self, lines: &[(&str, &str)]) -> HeaderMap {
        let mut request = Request::get("/api/v1/a%20b?q").version(self.version).header("host", "Shop.test:8443");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let client = Client {
            peer: Some("203.0.113.9:4000".parse().unwrap()),
            local: Some("192.0.2.1:8443".parse().unwrap()),
            address: Some("198.51.100.7".parse().unwrap()),
            trusted: self.trusted,
            scheme: Scheme::Https,
            ..Client::default()
        };
        let route = Route {
            id: Uuid::nil(),
            name: None,
            protocols: [Protocol::Http].into(),
            strip_path: self.strip_path,
            preserve_host: false,
            request_buffering: true,
            response_buffering: true,
            https_redirect_status_code: 426,
            tags: vec![],
        };
        let plan = Plan { route: Some(route), ..Plan::default() };
        let mut cx = Context::new(client, &head, Timing::start(), Some(Arc::new(plan)));
        cx.host = "shop.test".into();
        cx.matched = Matched { path: "/api/v1/a b".into(), prefix: Some(4), ..Matched::default() };
        let forwarding = Forwarding::new(&self.settings);
        let mut sent = HeaderMap::new();
        sent.insert(header::HOST, HeaderValue::from_static(""));
        sent.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
        let said = forwarding.pass(&head, &SetHeaders::default(), Wishes::of(&head.headers), &mut sent);
        match announced(&head.method, self.length, said.framed) {
            Announced::None => {}
            Announced::Known(bytes) => drop(sent.insert(header::CONTENT_LENGTH, bytes.into())),
            Announced::Unknown { .. } => {
                drop(sent.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")));
            }
        }
        forwarding.add(&cx, &head, &said, &mut sent);
        sent
    }

    /// The same, of one header: its lines joined by `|`.
    fn sends_of(&self, name: &str, lines: &[(&str, &str)]) -> String {
        let headers = self.sends(lines);
        let lines: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        lines.join("|")
    }
}

#[test]
fn who_asked_is_told_from_the_connection_unless_a_trusted_peer_tells() {
    let told = [("x-forwarded-proto", "gopher"), ("x-forwarded-host", "Told.test:1"), ("x-forwarded-port", "1")];
    let told = [&told[..], &[("x-forwarded-path", "/told"), ("x-forwarded-prefix", "/t")]].concat();
    for (name, own, of_trusted) in [
        ("x-forwarded-proto", "https", "gopher"),
        ("x-forwarded-host", "shop.test", "Told.test:1"),
        ("x-forwarded-port", "8443", "1"),
        ("x-forwarded-path", "/api/v1/a%20b", "/told"),
        ("x-forwarded-prefix", "/api", "/t"),
    ] {
        let (stranger, friend) = (Case::default(), Case { trusted: true, ..Case::default() });
        assert_eq!(stranger.sends_of(name, &[]), own);
        assert_eq!(stranger.sends_of(name, &told), own, "a stranger's word does not count");
        assert_eq!(friend.sends_of(name, &[]), own);
        assert_eq!(friend.sends_of(name, &told), of_trusted);
    }
}

#[test]
fn names_with_underscores_are_no_way_round() {
    let names = ["x_real_ip", "x_forwarded_for", "x-forwarded_host", "x_forwarded-proto", "x_kong_request_id"];
    let framing = ["content_length", "transfer_encoding", "http2_settings", "proxy_connection", "keep_alive"];
    for name in names.iter().chain(&framing) {
        for trusted in [false, true] {
            let case = Case { trusted, ..Case::default() };
            assert_eq!(case.sends_of(name, &[(name, "spoofed")]), "", "{name}");
        }
    }
    assert_eq!(Case::default().sends_of("x_request_token", &[("x_request_token", "1")]), "1", "others pass");
}

#[test]
fn a_prefix_is_told_only_if_one_was_taken_off() {
    let case = Case { strip_path: false, ..Case::default() };
    assert_eq!(case.sends_of("x-forwarded-prefix", &[("x-forwarded-prefix", "/spoofed")]), "");
}

#[test]
fn addresses_are_continued_whoever_began() {
    for trusted in [false, true] {
        let case = Case { trusted, ..Case::default() };
        for (name, before, after) in [
            ("x-real-ip", &[] as &[_], "198.51.100.7"),
            ("x-real-ip", &["6.6.6.6"], "198.51.100.7"),
            ("x-forwarded-for", &[], "198.51.100.7"),
            ("x-forwarded-for", &["6.6.6.6"], "6.6.6.6, 203.0.113.9"),
            ("x-forwarded-for", &["6.6.6.6", "7.7.7.7, 8.8.8.8"], "6.6.6.6, 7.7.7.7, 8.8.8.8, 203.0.113.9"),
        ] {
            let lines: Vec<_> = before.iter().map(|value| (name, *value)).collect();
            assert_eq!(case.sends_of(name, &lines), after, "{before:?}");
        }
    }
}

#[test]
fn via_names_the_version_received() {
    for (version, before, after) in [
        (Version::HTTP_10, None, "1.0 kong/3.9.1"),
        (Version::HTTP_11, None, "1.1 kong/3.9.1"),
        (Version::HTTP_2, None, "2 kong/3.9.1"),
        (Version::HTTP_11, Some("1.0 fred"), "1.0 fred, 1.1 kong/3.9.1"),
    ] {
        let lines: Vec<_> = before.map(|value| ("via", value)).into_iter().collect();
        assert_eq!(Case { version, ..Case::default() }.sends_of("via", &lines), after);
    }
    let silent = ProxySettings { via_token: String::new(), ..Default::default() };
    assert_eq!(Case { settings: silent, ..Case::default() }.sends_of("via", &[("via", "1.0 fred")]), "1.0 fred");
}

#[test]
fn the_request_id_goes_upstream_if_set_so() {
    let spoofed = [("x-kong-request-id", "spoofed")];
    assert_eq!(Case::default().sends_of("x-kong-request-id", &spoofed).len(), 32);
    let settings = ProxySettings { headers_upstream_request_id: false, ..Default::default() };
    let case = Case { settings, ..Case::default() };
    assert_eq!(case.sends_of("x-kong-request-id", &spoofed), "spoofed", "nobody else's business then");
}

#[test]
fn what_concerns_the_connection_stays_here_and_the_rest_is_kept_as_it_is() {
    let sent = Case::default().sends(&[
        ("accept", "a"),
        ("connection", "close, x-listed, x-consumer-username, content-length"),
        ("x-listed", "1"),
        ("x-consumer-username", "bob"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy", "http://evil.test"),
        ("te", "gzip"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAA"),
        ("expect", "100-continue"),
        ("transfer-encoding", "gzip, chunked"),
        ("under_score", "1"),
        ("accept", "b"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ]);
    let sent: Vec<_> = sent.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let ours = sent.iter().position(|line| line.starts_with("content-length")).unwrap();
    assert_eq!(
        sent[..ours],
        [
            "host: ",
            "connection: keep-alive",
            "accept: a",
            "accept: b",
            "x-consumer-username: bob",
            "under_score: 1",
            "cookie: a=1",
            "cookie: b=2"
        ]
    );
    assert_eq!(sent[ours], "content-length: 0", "announced anew");
}

#[test]
fn trailers_are_asked_for_only_if_the_client_does() {
    for (te, sent) in [("trailers", "trailers"), ("gzip, Trailers;q=1", "trailers"), ("gzip", ""), ("", "")] {
        assert_eq!(Case::default().sends_of("te", &[("te", te)]), sent);
    }
}

#[test]
fn pieces_of_a_cookie_are_joined_for_http_1() {
    let lines = [("cookie", "a=1"), ("cookie", "b=2; c=3")];
    assert_eq!(Case { version: Version::HTTP_2, ..Case::default() }.sends_of("cookie", &lines), "a=1; b=2; c=3");
    assert_eq!(Case::default().sends_of("cookie", &lines), "a=1|b=2; c=3");
}

#[test]
fn a_body_is_announced_by_what_it_is() {
    for (length, lines, content_length, encoding) in [
        (Length::Unknown, &[("content-length", "5")] as &[_], "", "chunked"),
        (Length::Known(3), &[("content-length", "5"), ("transfer-encoding", "chunked")], "3", ""),
        (Length::Known(0), &[], "", ""),
    ] {
        let case = Case { length, ..Case::default() };
        assert_eq!(case.sends_of("content-length", lines), content_length);
        assert_eq!(case.sends_of("transfer-encoding", lines), encoding);
    }
}
