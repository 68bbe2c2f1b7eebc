//! Credentials that are good for a while: Kong's `ttl`.
//!
//! An entity keeps the seconds from its creation to its end. What is written counts from now on, and what is shown is
//! what is left. After its end there is no such entity any more: nobody finds it, and its key is free.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use towergate_config::{Config, Edit, Kind, Named, Refusal, entities::Entity};
use uuid::Uuid;

/// The longest time Kong takes, in seconds: about three years.
const LONGEST: f64 = 100_000_000.0;

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Whether entities of this kind may end by themselves.
pub(crate) const fn may_end(kind: Kind) -> bool {
    matches!(kind, Kind::KeyauthCredentials | Kind::Oauth2Tokens)
}

/// When an entity ends, in seconds since 1970.
fn end(created_at: f64, ttl: Option<f64>) -> Option<f64> {
    ttl.filter(|ttl| *ttl > 0.0).map(|ttl| created_at + ttl)
}

/// Whether its time is over.
pub(super) fn is_over(entity: &dyn Entity) -> bool {
    if !may_end(entity.kind()) {
        return false;
    }
    let fields = entity.to_json();
    let number = |name: &str| fields.get(name).and_then(Value::as_f64);
    end(number("created_at").unwrap_or_default(), number("ttl")).is_some_and(|end| end < now())
}

/// Shows what is left, in whole seconds, instead of what is kept.
pub(super) fn show(fields: &mut Map<String, Value>) {
    let number = |name: &str| fields.get(name).and_then(Value::as_f64);
    let end = end(number("created_at").unwrap_or_default(), number("ttl"));
    let left = end.map(|end| (end - now()).floor().max(0.0) as u64);
    fields.insert("ttl".to_owned(), json!(left));
}

/// Lets a written `ttl` count from now on for an entity that is there already.
///
/// # Errors
/// It is none.
pub(super) fn count_from_now(written: &mut Map<String, Value>, present: Option<&dyn Entity>) -> Result<(), Refusal> {
    let Some(ttl) = written.get("ttl").and_then(Value::as_f64) else { return Ok(()) };
    if ttl.fract() != 0.0 || !(0.0..=LONGEST).contains(&ttl) {
        return Err(Refusal::invalid_option("ttl", "must be an integer between 0 and 100000000"));
    }
    let Some(present) = present.filter(|_| ttl > 0.0) else { return Ok(()) };
    let created_at = |fields: &Value| fields.get("created_at").and_then(Value::as_f64);
    let given = written.get("created_at").and_then(Value::as_f64);
    let age = now() - given.or_else(|| created_at(&present.to_json())).unwrap_or_default();
    written.insert("ttl".to_owned(), json!((ttl + age.floor().max(0.0)).min(LONGEST)));
    Ok(())
}

/// Takes out what is over. Without a database nothing can be taken out, and nobody sees it either.
pub(crate) fn forget(edit: &mut Edit<'_>) {
    for (kind, id) in over(edit.config()) {
        let _ = edit.delete(kind, &Named::Id(id));
    }
}

/// What is over.
pub(crate) fn over(config: &Config) -> Vec<(Kind, Uuid)> {
    let now = now();
    let is_over = |created_at: i64, ttl| end(created_at as f64, ttl).is_some_and(|end| end < now);
    let keys = config.keyauth_credentials.iter().filter(|key| is_over(key.created_at, key.ttl));
    let tokens = config.oauth2_tokens.iter().filter(|token| is_over(token.created_at, token.ttl));
    let keys = keys.map(|key| (Kind::KeyauthCredentials, key.id));
    keys.chain(tokens.map(|token| (Kind::Oauth2Tokens, token.id))).collect()
}
