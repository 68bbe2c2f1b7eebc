//! Listeners flagged `proxy_protocol`: what a balancer says first, who the client is then, and what else may come.

use std::time::Duration;

use towergate_tests::{Gateway, Received, SOON, Setup, Upstream, eventually, proxying};

const TRUSTING: &[(&str, &str)] = &[("trusted_ips", "127.0.0.0/8"), ("real_ip_header", "proxy_protocol")];

const GET: &str = "GET /x HTTP/1.1\r\nHost: gateway.test\r\n";

/// A gateway whose listener is flagged so, not yet started.
fn flagged(upstream: &Upstream, settings: &[(&str, &str)]) -> Setup {
    let setup =
        settings.iter().fold(Gateway::with(&proxying(upstream)), |setup, (key, value)| setup.setting(key, value));
    setup.proxy_flags("proxy_protocol")
}

/// Version 2, from 192.0.2.7:4660 to 198.51.100.1:443.
fn binary(command: u8, family: u8) -> Vec<u8> {
    let fixed: &[u8] = &[b"\r\n\r\n\0\r\nQUIT\n", &[command, family, 0, 12][..]].concat();
    [fixed, &[192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 1, 0xbb]].concat()
}

fn line() -> Vec<u8> {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n".to_vec()
}

/// What the upstream gets of a request with these header lines after these first bytes.
#[track_caller]
fn received(settings: &[(&str, &str)], first: &[u8], lines: &str) -> Received {
    let upstream = Upstream::echo();
    let gateway = flagged(&upstream, settings).start();
    let mut connection = gateway.connect();
    connection.send([first, GET.as_bytes(), lines.as_bytes(), b"\r\n"].concat());
    assert_eq!(connection.answer().status, 200);
    upstream.only()
}

#[test]
fn the_client_of_a_trusted_balancer_is_the_one_it_names() {
    let ipv6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 443\r\n".to_vec();
    for (first, client) in [(line(), "192.0.2.7"), (ipv6, "2001:db8::7"), (binary(0x21, 0x11), "192.0.2.7")] {
        let received = received(TRUSTING, &first, "");
        assert_eq!(received.header("X-Real-IP"), Some(client));
        assert_eq!(received.header("X-Forwarded-For"), Some(client));
        // The scheme and the port are those of the listener, as in Kong.
        assert_eq!(received.header("X-Forwarded-Proto"), Some("http"));
        assert_ne!(received.header("X-Forwarded-Port"), Some("443"));
    }
}

/// nginx appends the address of the peer itself, not what it has become.
#[test]
fn a_forwarded_list_goes_on_with_the_balancer() {
    let received = received(TRUSTING, &line(), "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(received.header("X-Forwarded-For"), Some("203.0.113.1, 127.0.0.1"));
    assert_eq!(received.header("X-Real-IP"), Some("192.0.2.7"));
    assert_eq!(received.header("X-Forwarded-Proto"), Some("https"), "a trusted peer's word");
}

#[test]
fn a_balancer_that_is_not_trusted_changes_nothing() {
    for settings in [&[("real_ip_header", "proxy_protocol")][..], &[("trusted_ips", "10.0.0.0/8"), TRUSTING[1]]] {
        let received = received(settings, &line(), "X-Forwarded-Proto: https\r\n");
        assert_eq!(received.header("X-Real-IP"), Some("127.0.0.1"), "{settings:?}");
        assert_eq!(received.header("X-Forwarded-Proto"), Some("http"), "{settings:?}");
    }
}

/// The header is read and says nothing where the client is looked for in a header of the request.
#[test]
fn real_ip_header_decides_who_tells_of_the_client() {
    let by_header = received(&TRUSTING[..1], &line(), "X-Real-IP: 203.0.113.9\r\n");
    assert_eq!(by_header.header("X-Real-IP"), Some("203.0.113.9"));
    let unnamed = received(&TRUSTING[..1], &line(), "");
    assert_eq!(unnamed.header("X-Real-IP"), Some("127.0.0.1"));
    let by_connection = received(TRUSTING, &line(), "X-Real-IP: 203.0.113.9\r\n");
    assert_eq!(by_connection.header("X-Real-IP"), Some("192.0.2.7"));
}

#[test]
fn a_header_without_a_client_keeps_the_connections_own_addresses() {
    for first in [b"PROXY UNKNOWN\r\n".to_vec(), binary(0x20, 0x11), binary(0x21, 0x12), binary(0x21, 0x00)] {
        assert_eq!(received(TRUSTING, &first, "").header("X-Real-IP"), Some("127.0.0.1"), "{first:?}");
    }
}

#[test]
fn the_header_counts_for_all_requests_of_its_connection() {
    let upstream = Upstream::echo();
    let gateway = flagged(&upstream, TRUSTING).start();
    let mut connection = gateway.connect();
    // In pieces, so that it does not come together with the request.
    for piece in line().chunks(5) {
        connection.send(piece);
    }
    for _ in 0..3 {
        connection.send(format!("{GET}\r\n"));
        assert_eq!(connection.answer().status, 200);
        assert_eq!(upstream.last().header("X-Real-IP"), Some("192.0.2.7"));
    }
    // A second header is no request.
    connection.send([line(), format!("{GET}\r\n").into_bytes()].concat());
    assert_eq!(connection.answer().status, 400);
}

#[test]
fn what_is_no_header_ends_the_connection_without_a_word() {
    let upstream = Upstream::echo();
    let gateway = flagged(&upstream, TRUSTING).start();
    for bytes in [
        format!("{GET}\r\n").into_bytes(),
        b"PROXY TCP4 192.0.2.7\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\n".to_vec(),
        format!("PROXY TCP4 {}", "1".repeat(200)).into_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00".to_vec(),
        binary(0x31, 0x11),
        [&binary(0x21, 0x11)[..14], &[0xff, 0xff]].concat(),
    ] {
        let mut connection = gateway.connect();
        connection.send(&bytes);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(connection.drained(), b"", "{shown:.60}");
    }
    assert_eq!(upstream.count(), 0);
    eventually(SOON, || gateway.log().matches("No PROXY protocol header; closed").count() >= 7);
    assert!(!gateway.log().contains("gateway.test"), "what came is nobody's business");
}

#[test]
fn a_header_that_does_not_come_ends_with_the_header_timeout() {
    let upstream = Upstream::echo();
    let gateway = flagged(&upstream, &[("nginx_http_client_header_timeout", "1s")]).start();
    for bytes in ["", "PROXY TCP4 192.0.2.7 "] {
        let mut connection = gateway.connect();
        connection.send(bytes);
        assert_eq!(connection.drained(), b"", "{bytes}");
    }
    // The time for a head begins anew after it.
    let mut connection = gateway.connect();
    connection.send(line());
    assert_eq!(connection.drained(), b"");
}

/// Only the flagged one of two listeners takes it.
#[test]
fn a_listener_without_the_flag_takes_requests_only() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream)).setting("real_ip_header", "proxy_protocol").start();
    let mut connection = gateway.connect();
    connection.send([line(), format!("{GET}\r\n").into_bytes()].concat());
    assert_eq!(connection.answer().status, 400);
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_connection_in_the_middle_of_its_header_does_not_hold_a_stop_up() {
    let upstream = Upstream::echo();
    let mut gateway = flagged(&upstream, TRUSTING).start();
    let mut connection = gateway.connect();
    connection.send("PROXY TCP4 192.0.2.7 ");
    let exit = gateway.terminate();
    assert!(exit.status.success());
    assert!(exit.took < Duration::from_secs(8), "{exit:?}");
}
