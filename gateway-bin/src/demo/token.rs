//! A token as the guide's `mobile-app` would get it from its login.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

/// The key and secret of `mobile-app` in the guide's configuration.
const KEY: &str = "mobile-app-key";
const SECRET: &str = "change-me-mobile-app-secret-0123456789";

/// How long it is valid: what the guide allows at most is a day.
const SECONDS: u64 = 12 * 60 * 60;

/// A token of `mobile-app`, valid for half a day from now.
pub(super) fn of_mobile_app() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let header = serde_json::json!({"alg": "HS256", "kid": KEY, "typ": "JWT"});
    let claims = serde_json::json!({"sub": "demo", "exp": now.saturating_add(SECONDS)});
    let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(code.as_ref()))
}
