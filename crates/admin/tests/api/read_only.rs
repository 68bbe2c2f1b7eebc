//! Without a database.

use serde_json::json;

use crate::api::Api;

async fn filled() -> Api {
    let api = Api::read_only();
    let document = json!({
        "_format_version": "3.0",
        "services": [{"name": "s", "host": "h", "tags": ["t"], "routes": [{"name": "r", "paths": ["/"]}]}],
    });
    assert_eq!(api.write("POST", "/config", document).await.status, 201);
    api
}

#[tokio::test]
async fn entities_can_be_read() {
    let api = filled().await;
    for path in ["/services", "/services/s", "/services/s/routes", "/routes/r/service", "/tags/t", "/plugins"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    let page = api.get("/services?offset=x").await;
    assert_eq!((page.status, page.body), (200, json!({"data": [], "next": null})), "as Kong answers");
}

#[tokio::test]
async fn what_is_right_is_not_supported() {
    let api = filled().await;
    let id = api.get("/services/s").await.body["id"].as_str().unwrap().to_owned();
    let by_id = &format!("/services/{id}");
    let host = json!({"host": "h"});
    for (method, path, body, text) in [
        ("POST", "/services", host.clone(), "cannot create 'services' entities when not using a database"),
        (
            "POST",
            "/services",
            json!({"name": "s", "host": "h"}),
            "cannot create 'services' entities when not using a database",
        ),
        ("PUT", by_id, host.clone(), "cannot create or update 'services' entities when not using a database"),
        (
            "PUT",
            "/services/s",
            host.clone(),
            "cannot create or update 'services' entities by 'name' when not using a database",
        ),
        ("PATCH", by_id, host.clone(), "cannot update 'services' entities when not using a database"),
        ("PATCH", "/services/s", host, "cannot update 'services' entities by 'name' when not using a database"),
        (
            "POST",
            "/services/s/routes",
            json!({"paths": ["/"]}),
            "cannot create 'routes' entities when not using a database",
        ),
    ] {
        let answer = api.write(method, path, body).await;
        assert_eq!(answer.refusal(), (405, 12, "operation unsupported", text), "{method} {path}");
    }
    let answer = api.ask("DELETE", by_id).await;
    assert_eq!(
        answer.refusal(),
        (405, 12, "operation unsupported", "cannot remove 'services' entities when not using a database")
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_first() {
    let api = filled().await;
    assert_eq!(api.write("POST", "/services", json!({})).await.refusal().1, 2);
    assert_eq!(api.write("PATCH", "/services/x", json!({})).await.status, 404);
    assert_eq!(api.ask("DELETE", "/services/x").await.status, 204, "as Kong answers");
}

#[tokio::test]
async fn config_is_for_those_without_a_database() {
    assert_eq!(filled().await.get("/config").await.status, 200);
    let api = Api::new();
    let text = "this endpoint is only available when Kong is configured to not use a database";
    for answer in [api.get("/config").await, api.write("POST", "/config", json!({"_format_version": "3.0"})).await] {
        assert_eq!((answer.status, answer.body), (400, json!({"message": text})));
    }
}
