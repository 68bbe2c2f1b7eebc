//! `towergate demo`: what it prints works, and it ends when told to.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use towergate_tests::{Connection, Port, Request, SOON, binary, eventually_some};

/// A running demo on ports of its own.
struct Demo {
    child: Child,
    proxy: Port,
    printed: String,
}

impl Demo {
    fn start() -> Self {
        let (proxy, admin) = (Port::free(), Port::free());
        let mut child = Command::new(binary())
            .arg("demo")
            .env("KONG_PROXY_LISTEN", proxy.address().to_string())
            .env("KONG_ADMIN_LISTEN", admin.address().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the demo runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut printed = String::new();
        while !printed.contains("Ctrl-C") {
            printed.push_str(&lines.next().expect("what to try is printed").expect("text"));
            printed.push('\n');
        }
        Self { child, proxy, printed }
    }

    /// The status and body of a request to the gateway.
    fn ask(&self, request: &Request) -> (u16, String) {
        let answer = Connection::open(self.proxy.address()).request(request);
        (answer.status, answer.text())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_serves_what_it_says_and_ends_on_ctrl_c() {
    let mut demo = Demo::start();
    for path in ["/api/v1/users", "/api/v1/orders/7", "/api/v1/products", "/partner/v1/orders", "/nowhere"] {
        assert!(demo.printed.contains(&format!("http://{}{path}", demo.proxy.address())), "{path}: {}", demo.printed);
    }
    assert_eq!(demo.ask(&Request::get("/api/v1/users")).0, 401);
    let (_, token) = demo.printed.split_once("'Authorization: ").expect("a token is printed");
    let (token, _) = token.split_once('\'').expect("in quotes");
    for (path, service) in
        [("/api/v1/users", "users"), ("/api/v1/orders/7", "orders"), ("/api/v1/products", "products")]
    {
        let (status, body) = demo.ask(&Request::get(path).header("Authorization", token));
        assert_eq!(status, 200, "{path}: {body}");
        assert!(body.contains(&format!("\"service\": \"{service}\"")), "{path}: {body}");
    }
    assert_eq!(demo.ask(&Request::get("/partner/v1/orders")).0, 401);
    let (status, body) = demo.ask(&Request::get("/partner/v1/orders").header("X-API-Key", "change-me-partner-key"));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("partner-api") && !body.contains("change-me-partner-key"), "{body}");
    assert_eq!(demo.ask(&Request::get("/nowhere")).0, 404);

    let signalled = Command::new("kill").args(["-INT", &demo.child.id().to_string()]).status().expect("kill runs");
    assert!(signalled.success());
    let status = eventually_some(SOON + Duration::from_secs(2), || demo.child.try_wait().expect("our own child"));
    assert_eq!(status.code(), Some(0));
}
