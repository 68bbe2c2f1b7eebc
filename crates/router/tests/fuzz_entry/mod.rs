//! Any bytes as rules and requests: nothing may panic, and what is promised must hold.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_router::{Address, Protocols, Request, Router, Rule, Scheme, path, split_host};
use uuid::Uuid;

/// Reads rules and requests from the data and asks the router about them.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input { data };
    let rules: Vec<_> = (0..input.byte() % 24).map(|_| input.rule()).collect();
    // What is refused is left out, so that one bad rule does not hide all others.
    let rules: Vec<_> = rules.into_iter().filter(usable).collect();
    let router = Router::new(rules.clone()).expect("each rule alone was accepted");
    for _ in 0..8 {
        let raw = input.path();
        let Some(normal) = check_path(&raw) else { continue };
        let host = input.name();
        let (host, port) = split_host(&host).unwrap_or((&host, None));
        let headers = input.headers();
        let sni = input.name();
        let request = Request {
            method: input.pick(&["GET", "POST", "X"]),
            scheme: input.scheme(),
            host,
            port: port.unwrap_or(80),
            path: &normal,
            headers: &headers,
            sni: (input.byte().is_multiple_of(2)).then_some(&sni),
            source: input.socket(),
            destination: input.socket(),
        };
        check_find(&router, &request);
    }
}

fn usable(rule: &Rule) -> bool {
    match Router::new(vec![rule.clone()]) {
        Ok(_) => true,
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|error| error.rule == 0 && !error.field.is_empty() && !error.message.is_empty()));
            false
        }
    }
}

fn check_path(raw: &str) -> Option<String> {
    let normal = path::normalize(raw).ok()?;
    assert_eq!(path::normalize(&normal).as_deref(), Ok(&*normal));
    assert!(normal.starts_with('/') && !normal.contains("//"));
    assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
    let sent = path::escape(&normal);
    assert_eq!(path::normalize(&sent).as_deref(), Ok(&*normal));
    Some(normal.into_owned())
}

fn check_find(router: &Router, request: &Request<'_>) {
    let found = router.find(request);
    let best = router.explain(request).into_iter().find(|one| one.matches());
    assert_eq!(found.as_ref().map(|found| found.rule), best.map(|one| one.rule));
    let Some(found) = found else { return };
    if let Some(prefix) = found.prefix {
        assert!(request.path.is_char_boundary(prefix));
    }
    if let Some(captures) = found.captures {
        assert_eq!(captures.at(0).map(str::len), found.prefix);
        assert!(captures.positional().flatten().all(|one| request.path.contains(one)));
    }
    for strip in [true, false] {
        let upstream = path::upstream(Some("/srv"), request.path, found.prefix, strip);
        assert!(upstream == "/srv" || upstream.starts_with("/srv/"), "{upstream}");
        assert!(upstream.split('/').all(|segment| segment != "." && segment != ".."), "{upstream}");
    }
}

struct Input<'a> {
    data: &'a [u8],
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.data.split_first() else { return 0 };
        self.data = rest;
        *first
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    fn list<T>(&mut self, most: u8, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % (most + 1)).map(|_| item(self)).collect()
    }

    fn text(&mut self, most: u8) -> String {
        let length = usize::from(self.byte() % most).min(self.data.len());
        let (text, rest) = self.data.split_at(length);
        self.data = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// Mostly of known pieces, so that rules and requests meet.
    fn joined(&mut self, pieces: &[&str]) -> String {
        self.list(5, |input| if input.byte() < 8 { input.text(8) } else { input.pick(pieces).to_owned() }).concat()
    }

    fn path(&mut self) -> String {
        "/".to_owned() + &self.joined(&["a", "b", "/", "/", "7", ".", "..", "/./", "%2e", "%2F", "%C3%A9", "é", "%"])
    }

    fn name(&mut self) -> String {
        self.joined(&["a", "b", "B", ".", ".", "a.b", "*", ":80", "[::1]", "example"])
    }

    fn rule(&mut self) -> Rule {
        Rule {
            id: Uuid::from_u128(u128::from(self.byte()) << 120),
            protocols: self.pick(&[Protocols::HTTP, Protocols::HTTP, Protocols::GRPC, Protocols::TLS, Protocols::UDP]),
            methods: self.list(1, |input| input.pick(&["GET", "POST", "X"]).to_owned()),
            hosts: self.list(2, Self::name),
            paths: self.list(3, |input| if input.byte().is_multiple_of(3) { input.pattern() } else { input.path() }),
            headers: self.list(1, |input| {
                (
                    input.pick(&["x-a", "X_A", "b"]).to_owned(),
                    input.list(2, |input| input.pick(&["1", "2", "~*[12]"]).to_owned()),
                )
            }),
            snis: self.list(1, Self::name),
            sources: self.list(1, Self::address),
            destinations: self.list(1, Self::address),
            regex_priority: i64::from(self.byte() % 4) - 2,
        }
    }

    fn pattern(&mut self) -> String {
        "~/".to_owned()
            + &self.joined(&["a", "b", "/", "/", "7", "\\d+", "(?<x>", "(", ")", "|", "?", ".*", "[^/]+", "$", "(?i)"])
    }

    fn address(&mut self) -> Address {
        let ip = self.pick(&[None, Some("192.0.2.1"), Some("192.0.2.0/24"), Some("::/0")]);
        Address { ip: ip.and_then(|ip| ip.parse().ok()), port: self.pick(&[None, Some(1), Some(2)]) }
    }

    fn headers(&mut self) -> HeaderMap {
        let lines = self.list(3, |input| {
            let name = HeaderName::from_static(input.pick(&["x-a", "x_a", "b", "c"]));
            let value = [input.pick(&[b'1', b'2', b'x', 0xFF])];
            Some((name, HeaderValue::from_bytes(&value).ok()?))
        });
        lines.into_iter().flatten().collect()
    }

    fn scheme(&mut self) -> Scheme {
        self.pick(&[Scheme::Http, Scheme::Https, Scheme::Grpc, Scheme::Tls, Scheme::Tcp, Scheme::Udp])
    }

    fn socket(&mut self) -> Option<SocketAddr> {
        self.pick(&[
            None,
            Some("192.0.2.1:1"),
            Some("192.0.2.2:2"),
            Some("[::ffff:192.0.2.1]:1"),
            Some("[2001:db8::1]:2"),
        ])?
        .parse()
        .ok()
    }
}
