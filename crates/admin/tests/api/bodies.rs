//! The forms a body may have.

use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use crate::api::Api;

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn forms_are_entities() {
    let api = Api::new();
    let form = "name=s&url=https%3A%2F%2Fs.test&retries=3&tags[]=a&tags[]=b&tls_verify=true";
    let service = api.form("POST", "/services", FORM, form).await;
    assert_eq!(service.status, 201, "{}", service.body);
    let fields = ["name", "host", "retries", "tags", "tls_verify"].map(|field| service.body[field].clone());
    assert_eq!(fields, [json!("s"), json!("s.test"), json!(3), json!(["a", "b"]), json!(true)]);
    let route = "paths[1]=/a&paths[2]=/b&service.name=s&strip_path=false&headers.x-a[]=1&hosts=a.test";
    let route = api.form("POST", "/routes", FORM, route).await.body;
    assert_eq!(
        (&route["paths"], &route["hosts"], &route["strip_path"]),
        (&json!(["/a", "/b"]), &json!(["a.test"]), &json!(false))
    );
    assert_eq!(route["headers"], json!({"x-a": ["1"]}));
    let patched = api.form("PATCH", "/services/s", FORM, "retries=&port=81").await;
    assert_eq!((patched.status, &patched.body["port"], &patched.body["retries"]), (200, &json!(81), &json!(null)));
}

#[tokio::test]
async fn forms_know_the_fields_of_plugins() {
    let api = Api::new();
    let plugin = api.form("POST", "/plugins", FORM, "name=limiter&config.minute=7&instance_name=i").await;
    assert_eq!((plugin.status, &plugin.body["config"]["minute"]), (201, &json!(7)), "{}", plugin.body);
    let patched = api.form("PATCH", "/plugins/i", FORM, "config.minute=8&enabled=false").await;
    assert_eq!((patched.status, &patched.body["config"]["minute"]), (200, &json!(8)), "{}", patched.body);
    assert_eq!(patched.body["enabled"], false);
}

#[tokio::test]
async fn forms_in_parts_are_entities() {
    let api = Api::new();
    let part = |name: &str, value: &str| {
        format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = part("host", "h") + &part("port", "81") + &part("tags[]", "a") + "--sep--\r\n";
    let service = api.form("POST", "/services", "multipart/form-data; boundary=sep", &body).await;
    assert_eq!(
        (service.status, &service.body["port"], &service.body["tags"]),
        (201, &json!(81), &json!(["a"])),
        "{}",
        service.body
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let api = Api::new();
    for (media_type, body, status, text) in [
        ("application/json", "{", 400, "Cannot parse JSON body"),
        ("application/json", "", 400, "Cannot parse JSON body"),
        ("application/json", "\"x\"", 400, "Cannot parse JSON body"),
        ("application/json", "[1]", 400, "Cannot parse JSON body"),
        ("text/plain", "host=h", 415, "Unsupported media type"),
        ("application/yaml", "host: h", 415, "Unsupported media type"),
    ] {
        let answer = api.form("POST", "/services", media_type, body).await;
        assert_eq!((answer.status, &answer.body), (status, &json!({"message": text})), "{media_type} {body}");
    }
    let twice = Request::post("/services").header(header::CONTENT_TYPE, FORM).header(header::CONTENT_TYPE, FORM);
    let answer = api.send(twice.body(Body::from("host=h")).unwrap()).await;
    assert_eq!((answer.status, answer.body), (400, json!({"message": "Multiple Content-Type headers not allowed"})));
    let untold = Request::post("/services").body(Body::from("host=h")).unwrap();
    assert_eq!(api.send(untold).await.status, 415);
    let empty = api.ask("POST", "/services").await;
    assert_eq!((empty.status, &empty.body["fields"]), (400, &json!({"host": "required field missing"})));
    let large = format!("{{\"host\":\"{}\"}}", "h".repeat(11 << 20));
    assert_eq!(api.form("POST", "/services", "application/json", &large).await.status, 413);
    let deep = "[".repeat(100_000);
    assert_eq!(api.form("POST", "/services", "application/json", &deep).await.status, 400);
}
