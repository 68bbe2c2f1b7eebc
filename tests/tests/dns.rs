//! Names of services and targets, with a real DNS server and with one that fails.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use towergate_tests::{DnsServer, Gateway, Reply, Request, SOON, Setup, Upstream, eventually, proxying_to};

/// A gateway that asks this server only.
fn asking(document: &str, server: &DnsServer) -> Setup {
    Gateway::with(document).setting("dns_resolver", &server.address().to_string())
}

/// For how long a server that does not answer is waited for, at least.
const WAIT: Duration = Duration::from_secs(2);

fn numbered(number: usize) -> Upstream {
    Upstream::answering(move |_| Reply::ok(number.to_string()))
}

/// A route to an upstream with this one target.
fn target(target: &str, fields: &str) -> String {
    let document = proxying_to("http://group", &["retries: 0"]);
    format!("{document}upstreams:\n- name: group\n  {fields}\n  targets: [{{target: '{target}'}}]\n")
}

fn health(gateway: &Gateway) -> serde_json::Value {
    gateway.ask_admin(&Request::get("/upstreams/group/health")).json()["data"][0].take()
}

#[test]
fn a_services_name_is_looked_up_and_its_host_is_kept() {
    let upstream = Upstream::echo();
    let server = DnsServer::start("127.0.0.1 web.test\n", &[]);
    let port = upstream.address().port();
    let gateway = asking(&proxying_to(&format!("http://web.test:{port}"), &["retries: 0"]), &server).start();
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(upstream.only().header("Host"), Some(format!("web.test:{port}").as_str()));
}

#[test]
fn services_bring_their_port_and_weight() {
    let [heavy, light, spare] = [numbered(0), numbered(1), numbered(2)];
    let line = |upstream: &Upstream, rest: &str| format!("shop.test,one.test,{},{rest}", upstream.address().port());
    let services = [line(&heavy, "1,3"), line(&light, "1,1"), line(&spare, "2,9")];
    let server = DnsServer::start("127.0.0.1 one.test\n", &services);
    for document in
        [proxying_to("http://shop.test:1", &["retries: 0"]), target("shop.test:1", "algorithm: round-robin")]
    {
        let before = [heavy.count(), light.count()];
        // One worker, so that one look-up counts: each worker begins a lap of its own, and so does each look-up.
        let setup = asking(&document, &server).setting("nginx_worker_processes", "1");
        let gateway = setup.setting("dns_valid_ttl", "600").start();
        assert!((0..40).all(|_| gateway.get("/").status == 200));
        assert_eq!([heavy.count() - before[0], light.count() - before[1], spare.count()], [30, 10, 0]);
    }
}

#[test]
fn the_name_of_a_service_is_the_host_if_that_is_asked_for() {
    let upstream = Upstream::echo();
    let port = upstream.address().port();
    let server = DnsServer::start("127.0.0.1 one.test\n", &[format!("shop.test,one.test,{port},1,1")]);
    for (fields, host) in [
        ("use_srv_name: false", format!("shop.test:{port}")),
        ("use_srv_name: true", format!("one.test:{port}")),
        ("use_srv_name: true\n  host_header: set.test:9", "set.test:9".to_owned()),
    ] {
        let gateway = asking(&target("shop.test:1", fields), &server).start();
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(upstream.last().header("Host"), Some(host.as_str()), "{fields}");
    }
}

#[test]
fn a_change_is_noticed_and_no_request_waits_for_it() {
    let upstream = numbered(0);
    let (alive, dead) = ("127.0.0.1 web.test\n", "127.0.0.9 web.test\n");
    let server = DnsServer::start(dead, &[]);
    let port = upstream.address().port();
    let plain = proxying_to(&format!("http://web.test:{port}"), &["retries: 0"]);
    for document in [plain, target(&format!("web.test:{port}"), "algorithm: least-connections")] {
        server.change(dead);
        let gateway = asking(&document, &server).start();
        eventually(SOON, || gateway.get("/").status == 502);
        server.change(alive);
        eventually(SOON, || gateway.get("/").status == 200);
        server.change(dead);
        eventually(SOON, || gateway.get("/").status == 502);
    }
}

#[test]
fn a_server_that_goes_takes_nothing_along() {
    let upstream = numbered(0);
    let server = DnsServer::start("127.0.0.1 web.test\n", &[]);
    let url = format!("http://web.test:{}", upstream.address().port());
    let gateway = asking(&proxying_to(&url, &["retries: 0"]), &server).setting("dns_valid_ttl", "0.1").start();
    assert_eq!(gateway.get("/").status, 200);
    drop(server);
    for _ in 0..30 {
        let answer = gateway.get("/");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.took < WAIT, "a request waited for DNS: {:?}", answer.took);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn no_such_name_is_503_and_a_failure_500_in_kongs_words() {
    let server = DnsServer::start("", &[]);
    let gateway = asking(&proxying_to("http://none.test", &["retries: 0"]), &server).start();
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.message().as_str()), (503, "name resolution failed"));

    let failing = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = failing.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((count, from)) = failing.recv_from(&mut bytes) {
            // A response (RFC 1035 section 4.1.1) with the code SERVFAIL.
            bytes[2] |= 0x80;
            bytes[3] = 0x82;
            let _ = failing.send_to(&bytes[..count], from);
        }
    });
    let document = proxying_to("http://web.test", &["retries: 0"]);
    let gateway = Gateway::with(&document).setting("dns_resolver", &address).start();
    let answer = gateway.get("/");
    let words = "failed the initial dns/balancer resolve for 'web.test' with: dns server error: 2 server failure";
    assert_eq!((answer.status, answer.message().as_str()), (500, words));
}

#[test]
fn a_target_without_an_address_is_told_and_comes_back() {
    let upstream = numbered(0);
    let server = DnsServer::start("", &[]);
    let document = target(&format!("web.test:{}", upstream.address().port()), "tags: [named]");
    let gateway = asking(&document, &server).setting("dns_not_found_ttl", "1").start();
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.message().as_str()), (503, "failure to get a peer from the ring-balancer"));
    let shown = health(&gateway);
    assert_eq!(
        (&shown["health"], &shown["data"]["dns"]),
        (&"DNS_ERROR".into(), &"dns server error: 3 name error".into())
    );
    server.change("127.0.0.1 web.test\n");
    eventually(SOON, || gateway.get("/").status == 200);
    assert_eq!(
        (&health(&gateway)["health"], &health(&gateway)["data"]["dns"]),
        (&"HEALTHCHECKS_OFF".into(), &"A".into())
    );
}

#[test]
fn the_hosts_file_comes_first() {
    let upstream = numbered(0);
    let server = DnsServer::start("127.0.0.9 web.test\n", &[]);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "127.0.0.1 web.test\n").expect("written");
    let url = format!("http://web.test:{}", upstream.address().port());
    let setup = asking(&proxying_to(&url, &["retries: 0"]), &server);
    let gateway = setup.setting("dns_hostsfile", &file.path().display().to_string()).start();
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn a_resolver_that_is_no_address_is_refused() {
    let failure = Gateway::with(&proxying_to("http://web.test", &[])).setting("dns_resolver", "ns.test").fails();
    assert!(failure.stderr.contains("dns_resolver must be a comma separated list"), "{}", failure.stderr);
    let failure = Gateway::with(&proxying_to("http://web.test", &[])).setting("dns_order", "A,MX").fails();
    assert!(failure.stderr.contains("dns_order"), "{}", failure.stderr);
}
