//! Credentials that are good for a while: Kong's `ttl`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::api::Api;

async fn filled() -> Api {
    let api = Api::new();
    api.add("/consumers", json!({"username": "alice"})).await;
    api.add("/oauth2", json!({"name": "app", "client_id": "app", "consumer": {"username": "alice"}})).await;
    api
}

fn ago(seconds: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - seconds
}

fn left(credential: &Value) -> u64 {
    credential["ttl"].as_u64().unwrap_or_else(|| panic!("whole seconds: {credential}"))
}

#[tokio::test]
async fn what_is_left_is_shown() {
    let api = filled().await;
    let key = api.add("/consumers/alice/key-auth", json!({"key": "k", "ttl": 3600})).await;
    assert!((3590..=3600).contains(&left(&key)), "{key}");
    let token = json!({"access_token": "t", "expires_in": 5, "ttl": 60, "credential": {"client_id": "app"}});
    assert!((50..=60).contains(&left(&api.add("/oauth2_tokens", token).await)));
    let old = json!({"key": "old", "created_at": ago(1_000), "ttl": 1_500});
    api.add("/consumers/alice/key-auth", old).await;
    for path in ["/key-auths/old", "/consumers/alice/key-auth/old"] {
        let shown = api.get(path).await.body;
        assert!((490..=500).contains(&left(&shown)), "{path}: {shown}");
    }
    for (name, body) in [("never", json!({"key": "never"})), ("zero", json!({"key": "zero", "ttl": 0}))] {
        let key = api.add("/consumers/alice/key-auth", body).await;
        assert_eq!(key.get("ttl"), Some(&Value::Null), "{name}: good for ever");
    }
}

#[tokio::test]
async fn a_time_that_is_written_counts_from_now() {
    let api = filled().await;
    api.add("/consumers/alice/key-auth", json!({"key": "k", "created_at": ago(1_000)})).await;
    for method in ["PATCH", "PUT"] {
        let changed = api.write(method, "/key-auths/k", json!({"ttl": 100, "consumer": {"username": "alice"}})).await;
        assert_eq!(changed.status, 200, "{method}: {}", changed.body);
        assert!((90..=100).contains(&left(&changed.body)), "{method}: {}", changed.body);
    }
    let changed = api.write("PATCH", "/key-auths/k", json!({"tags": ["t"]})).await.body;
    assert!((90..=100).contains(&left(&changed)), "another field does not lengthen it: {changed}");
    let changed = api.write("PATCH", "/key-auths/k", json!({"ttl": 0})).await.body;
    assert_eq!(changed["ttl"], Value::Null, "no end any more");
}

#[tokio::test]
async fn after_its_time_there_is_no_such_credential() {
    let api = filled().await;
    let gone = json!({"key": "k", "created_at": ago(1_000), "ttl": 500, "id": "11111111-1111-4111-8111-111111111111"});
    api.add("/consumers/alice/key-auth", gone.clone()).await;
    for path in ["/key-auths/k", "/consumers/alice/key-auth/k", "/key-auths/k/consumer"] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
    for path in ["/key-auths", "/consumers/alice/key-auth"] {
        assert_eq!(api.get(path).await.body, json!({"data": [], "next": null}), "{path}");
    }
    assert_eq!(api.write("PATCH", "/key-auths/k", json!({"ttl": 9})).await.status, 404, "it cannot be revived");
    api.add("/consumers/alice/key-auth", gone).await;
    assert_eq!(api.ask("DELETE", "/key-auths/k").await.status, 204);
    let again = api.write("POST", "/consumers/alice/key-auth", json!({"key": "k"})).await;
    assert_eq!(again.status, 201, "its key is free: {}", again.body);
}

#[tokio::test]
async fn what_is_no_time_is_refused() {
    let api = filled().await;
    for ttl in [json!(-1), json!(1.5), json!(100_000_001)] {
        let answer = api.write("POST", "/consumers/alice/key-auth", json!({"key": "k", "ttl": ttl})).await;
        let text = "invalid option (ttl: must be an integer between 0 and 100000000)";
        assert_eq!(answer.refusal(), (400, 11, "invalid options", text), "{ttl}");
    }
    let form = api.form("POST", "/consumers/alice/key-auth", "application/x-www-form-urlencoded", "key=f&ttl=60").await;
    assert!(form.status == 201 && left(&form.body) <= 60, "{}", form.body);
}
