//! Identity that only the gateway can give: a client can neither make it up nor take it away.

use towergate_tests::{Connection, Gateway, Request, Upstream, proxying};

const CREDENTIAL: &str = "4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a001";
const CONSUMER: &str = "4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002";

fn with_key_auth(upstream: &Upstream) -> Gateway {
    Gateway::serving(&format!(
        r#"{}
consumers:
- id: {CONSUMER}
  username: mobile-app
  keyauth_credentials: [{{id: {CREDENTIAL}, key: secret}}]
plugins:
- name: key-auth
"#,
        proxying(upstream)
    ))
}

#[test]
fn identity_headers_cannot_be_made_up_by_the_client() {
    let upstream = Upstream::echo();
    let gateway = with_key_auth(&upstream);
    let names = [
        "X-Consumer-ID",
        "X-Consumer-Username",
        "X-Consumer-Custom-ID",
        "X-Credential-Identifier",
        "X-Anonymous-Consumer",
        "x-consumer-username",
        "X-CONSUMER-CUSTOM-ID",
    ];
    let request = names.iter().fold(Request::get("/").header("apikey", "secret"), |request, name| {
        request.header(name, "admin").header(name, "root")
    });
    assert_eq!(gateway.send(&request).status, 200);
    let received = upstream.only();
    assert_eq!(received.headers.all("X-Consumer-ID"), [CONSUMER]);
    assert_eq!(received.headers.all("X-Consumer-Username"), ["mobile-app"]);
    assert_eq!(received.headers.all("X-Credential-Identifier"), [CREDENTIAL]);
    assert!(!received.headers.has("X-Consumer-Custom-ID"), "the consumer has none: {:?}", received.headers);
    assert!(!received.headers.has("X-Anonymous-Consumer"), "{:?}", received.headers);
}

#[test]
fn identity_headers_cannot_be_removed_by_a_connection_list() {
    let upstream = Upstream::echo();
    let gateway = with_key_auth(&upstream);
    let request = Request::get("/")
        .header("apikey", "secret")
        .header("Connection", "close, X-Consumer-Username, x-consumer-id, X-Credential-Identifier")
        .header("X-Consumer-Username", "admin");
    assert_eq!(gateway.send(&request).status, 200);
    let received = upstream.only();
    assert_eq!(received.headers.all("X-Consumer-Username"), ["mobile-app"]);
    assert_eq!(received.headers.all("X-Consumer-ID"), [CONSUMER]);
    assert_eq!(received.headers.all("X-Credential-Identifier"), [CREDENTIAL]);
}

#[test]
fn identity_does_not_stay_on_a_connection() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream);
    let gateway = Gateway::serving(&format!(
        r#"{document}    plugins: [{{name: key-auth}}]
  - name: open
    paths: ["/open"]
consumers:
- username: mobile-app
  keyauth_credentials: [{{key: secret}}]
"#
    ));
    let mut connection: Connection = gateway.connect();
    assert_eq!(connection.request(&Request::get("/").header("apikey", "secret")).status, 200);
    assert_eq!(connection.request(&Request::get("/open")).status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Username"), None);
    assert_eq!(connection.request(&Request::get("/")).status, 401);
}

#[test]
fn identity_headers_cannot_be_made_up_with_underscores() {
    // To CGI, WSGI and PHP `X_Consumer_Username` and `X-Consumer-Username` are one header.
    let upstream = Upstream::echo();
    let gateway = with_key_auth(&upstream);
    let names = [
        "X_Consumer_Username",
        "X-Consumer_ID",
        "x_consumer_custom_id",
        "X_Credential_Identifier",
        "X_Anonymous_Consumer",
        "X_Consumer_Groups",
        "X_Forwarded_For",
        "X_Forwarded_Host",
        "X_Real_IP",
        "X_Kong_Request_Id",
        "Content_Length",
        "Transfer_Encoding",
        "X-Consumer-Groups",
        "X-Authenticated-Groups",
    ];
    let request =
        names.iter().fold(Request::get("/").header("apikey", "secret"), |request, name| request.header(name, "7"));
    assert_eq!(gateway.send(&request.header("X_Mine", "stays")).status, 200);
    let received = upstream.only();
    for name in names {
        assert!(!received.headers.has(name), "{name} in {:?}", received.headers);
    }
    assert_eq!(received.header("X_Mine"), Some("stays"));
}

#[test]
fn identity_cannot_be_made_up_in_trailers() {
    let upstream = Upstream::echo();
    let gateway = with_key_auth(&upstream);
    let head = "POST / HTTP/1.1\r\nHost: a\r\napikey: secret\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "5\r\nhello\r\n0\r\nX-Consumer-Username: admin\r\nX-Consumer-ID: 7\r\n\r\n";
    assert_eq!(gateway.send_raw([head, body].concat()).status, 200);
    let received = upstream.only();
    assert_eq!(received.headers.all("X-Consumer-Username"), ["mobile-app"]);
    assert_eq!(received.body, b"hello");
}
