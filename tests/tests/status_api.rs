//! The Status API: what probes ask.

use towergate_tests::{
    Certificate, Connection, Gate, Gateway, Port, Reply, Request, SOON, Script, TlsClient, Upstream, eventually,
    proxying,
};

#[test]
fn the_status_api_tells_who_is_ready() {
    let status = Port::free();
    let gateway = Gateway::with("_format_version: \"3.0\"\n").status_api_on(&status).start();
    let ask = |request: Request| Connection::open(status.address()).request(&request);
    let hash = gateway.configuration_hash();
    assert_eq!(ask(Request::get("/status")).json()["configuration_hash"], hash);
    let answer = ask(Request::get("/status/ready"));
    assert_eq!((answer.status, answer.message().as_str()), (200, "ready"));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    for (target, code) in [("/", 404), ("/config", 404), ("/services", 404)] {
        assert_eq!(ask(Request::get(target)).status, code, "{target}: the Status API is not the Admin API");
    }
    let answer = ask(Request::get("/status/dns"));
    assert_eq!((answer.status, answer.message().as_str()), (501, "not implemented with the legacy DNS client"));
    assert_eq!(ask(Request::get("/upstreams/none/health")).status, 404);
    assert_eq!(ask(Request::get("/status?unit=x")).status, 400);
    let memory = ask(Request::get("/status?unit=k&scale=0")).json();
    assert!(
        memory["memory"]["workers_lua_vms"][0]["http_allocated_gc"].as_str().unwrap().ends_with(" KiB"),
        "{memory}"
    );
    let form =
        |body: &str| Request::post("/status/ready", body).header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(ask(form("status=other")).status, 400);
    let foreign = form("status=draining").header("Origin", "https://evil.test");
    assert_eq!(ask(foreign).status, 403, "a page cannot make a browser do it");
    assert_eq!(ask(Request::get("/status/ready")).status, 200);
    assert_eq!(ask(form("status=draining")).status, 204);
    let answer = ask(Request::get("/status/ready"));
    assert_eq!((answer.status, answer.message().as_str()), (503, "draining"));
    assert_eq!(ask(Request::get("/status")).status, 200, "it lives");
}

#[test]
fn the_status_api_shows_the_health_of_upstreams() {
    let status = Port::free();
    let document = "_format_version: \"3.0\"\nupstreams: [{name: up, targets: [{target: '127.0.0.1:1'}]}]\n";
    let _gateway = Gateway::with(document).status_api_on(&status).start();
    let ask = |method: &str, path: &str| Connection::open(status.address()).request(&Request::new(method, path));
    let answer = ask("GET", "/upstreams/up/health").json();
    assert_eq!(
        (&answer["data"][0]["target"], &answer["data"][0]["health"]),
        (&"127.0.0.1:1".into(), &"HEALTHCHECKS_OFF".into())
    );
    assert_eq!(ask("POST", "/upstreams/up/health").status, 405);
    assert_eq!(ask("PUT", "/upstreams/up/targets/127.0.0.1:1/healthy").status, 404, "nothing is changed here");
}

#[test]
fn without_a_configuration_a_node_is_not_ready() {
    let status = Port::free();
    let _gateway = Gateway::with("").setting("declarative_config", "").status_api_on(&status).start();
    let answer = Connection::open(status.address()).request(&Request::get("/status/ready"));
    let why = "no configuration available (empty configuration present)";
    assert_eq!((answer.status, answer.message().as_str()), (503, why));
}

/// Whoever sends traffic here is told to stop while requests in flight are finished.
#[test]
fn a_node_that_stops_is_not_ready() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| Script::from(Reply::ok("done")).behind(&held));
    let status = Port::free();
    let mut gateway = Gateway::with(&proxying(&upstream)).status_api_on(&status).start();
    let mut client = gateway.connect();
    client.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    gateway.signal("TERM");
    eventually(SOON, || {
        let answer = Connection::open(status.address()).request(&Request::get("/status/ready"));
        (answer.status, answer.message().as_str()) == (503, "draining")
    });
    gate.open();
    assert_eq!(client.answer().text(), "done");
    assert!(gateway.end().status.success());
}

#[test]
fn the_status_api_speaks_tls_with_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = Certificate::alone(&["status.example.com"]).write(folder.path(), "status");
    let (open, secured) = (Port::free(), Port::free());
    let listen = format!("{}, {} ssl http2", open.address(), secured.address());
    let gateway = Gateway::with("_format_version: \"3.0\"\n").setting("status_listen", &listen);
    let gateway = gateway.setting("status_ssl_cert", certificate.to_str().unwrap());
    let _gateway = gateway.setting("status_ssl_cert_key", key.to_str().unwrap()).start();
    assert_eq!(Connection::open(open.address()).request(&Request::get("/status")).status, 200);
    let (mut connection, handshake) = TlsClient::new().connect(secured.address(), "status.example.com");
    assert!(handshake.shows("status.example.com"));
    assert_eq!(connection.request(&Request::get("/status")).status, 200);
}
