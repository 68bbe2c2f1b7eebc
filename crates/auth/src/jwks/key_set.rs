//! A JWK Set (RFC 7517) as far as it concerns signatures.

use std::{collections::HashMap, sync::Arc};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::jose::{Algorithm, KeyKind, PublicKey, WrittenKey};

/// More keys than any issuer has; what comes after them is not looked at.
const MAX_KEYS: usize = 256;

/// The keys of an issuer that fit the algorithms allowed.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    by_id: HashMap<Box<str>, Vec<Arc<PublicKey>>>,
    /// Keys without an id, and those with one: for tokens that name none.
    all: Vec<Arc<PublicKey>>,
    /// How many keys of the set are in it, for one algorithm or for several.
    pub(super) keys: usize,
}

impl KeySet {
    /// The keys of this text that fit the algorithms. Others (for encryption, of unknown types, broken)
    /// are passed over, as RFC 7517 section 5 asks.
    pub(super) fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        let document: Value =
            serde_json::from_slice(text).map_err(|error| format!("the answer is no JSON: {error}"))?;
        let Some(keys) = document.get("keys").and_then(Value::as_array) else {
            return Err("the answer is no JWK Set: it has no list 'keys'".to_owned());
        };
        let mut set = Self::default();
        for key in keys.iter().take(MAX_KEYS).filter_map(Value::as_object) {
            set.add(key, algorithms);
        }
        if set.keys == 0 {
            let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
            return Err(format!("none of the {} keys published is for {}", keys.len(), names.join(", ")));
        }
        Ok(set)
    }

    fn add(&mut self, key: &Map<String, Value>, algorithms: &[Algorithm]) {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        if !is_for_signatures(key) {
            return;
        }
        let Some(written) = written(key) else { return };
        let fits = |algorithm: &&Algorithm| text("alg").is_none_or(|name| name == algorithm.name());
        let found: Vec<_> = algorithms
            .iter()
            .filter(fits)
            .filter_map(|algorithm| PublicKey::from_written(*algorithm, &written).ok())
            .map(Arc::new)
            .collect();
        if found.is_empty() {
            return;
        }
        self.keys = self.keys.saturating_add(1);
        self.all.extend(found.iter().cloned());
        if let Some(id) = text("kid") {
            self.by_id.entry(id.into()).or_default().extend(found);
        }
    }

    /// The key of this id for this algorithm; without an id the only one there is for it.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Arc<PublicKey>> {
        let keys = match id {
            Some(id) => self.by_id.get(id)?,
            None => &self.all,
        };
        let mut fitting = keys.iter().filter(|key| key.algorithm() == algorithm);
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }
}

/// What `use` and `key_ops` say (RFC 7517 sections 4.2 and 4.3).
fn is_for_signatures(key: &Map<String, Value>) -> bool {
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    key.get("use").is_none_or(|purpose| purpose == "sig") && key.get("key_ops").is_none_or(verifies)
}

/// The public key of an entry (RFC 7518 section 6, RFC 8037 section 2); `None` if it is none that is
/// known, or broken. A secret (`oct`) is never taken: who publishes one has no secret any more.
fn written(key: &Map<String, Value>) -> Option<WrittenKey> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let number = |name: &str| BASE64URL_NOPAD.decode(text(name)?.trim_end_matches('=').as_bytes()).ok();
    match (text("kty")?, text("crv")) {
        ("RSA", _) => WrittenKey::rsa(&number("n")?, &number("e")?),
        ("EC", Some(curve)) => {
            let (kind, length) = match curve {
                "P-256" => (KeyKind::P256, 32),
                "P-384" => (KeyKind::P384, 48),
                "P-521" => (KeyKind::P521, 66),
                _ => return None,
            };
            let point = [vec![4], padded(&number("x")?, length)?, padded(&number("y")?, length)?].concat();
            Some(WrittenKey { kind, bytes: point })
        }
        ("OKP", Some("Ed25519")) => {
            Some(WrittenKey { kind: KeyKind::Ed25519, bytes: number("x").filter(|octets| octets.len() == 32)? })
        }
        _ => None,
    }
}

/// A coordinate with the leading zeros that some leave out.
fn padded(number: &[u8], length: usize) -> Option<Vec<u8>> {
    let missing = length.checked_sub(number.len())?;
    Some([&vec![0; missing], number].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RFC 7517 appendix A.1 (EC) and RFC 8037 appendix A.2 (Ed25519).
    fn ec() -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": "ec",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
    }

    fn ed() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    // RFC 7517 appendix A.1.
    fn rsa() -> Value {
        json!({"kty": "RSA", "kid": "rsa", "e": "AQAB", "n": concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs",
            "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr",
            "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")})
    }

    fn parse(keys: Value, algorithms: &[Algorithm]) -> Result<KeySet, String> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), algorithms)
    }

    #[test]
    fn keys_are_found_by_id_and_algorithm() {
        use Algorithm::{ES256, EdDSA, PS256, RS256, RS512};
        let set = parse(json!([ec(), ed(), rsa()]), &[ES256, EdDSA, RS256, PS256]).unwrap();
        assert_eq!(set.keys, 3);
        for (id, algorithm, expected) in [
            (Some("ec"), ES256, true),
            (Some("ed"), EdDSA, true),
            (Some("rsa"), RS256, true),
            (Some("rsa"), PS256, true),
            (Some("rsa"), RS512, false),
            (Some("rsa"), ES256, false),
            (Some("other"), RS256, false),
            (None, RS256, true),
            (None, RS512, false),
        ] {
            assert_eq!(set.find(id, algorithm).is_some(), expected, "{id:?} {algorithm}");
        }
        let two = parse(json!([rsa(), rsa()]), &[RS256]).unwrap();
        assert!(two.find(None, RS256).is_none(), "a token that names no key may not try several");
    }

    #[test]
    fn keys_for_something_else_are_passed_over() {
        use Algorithm::{ES256, RS256};
        let with = |mut key: Value, name: &str, value: Value| {
            key[name] = value;
            key
        };
        let others = json!([
            with(ec(), "use", json!("enc")),
            with(ec(), "key_ops", json!(["encrypt"])),
            with(ec(), "alg", json!("ES384")),
            with(ec(), "crv", json!("P-384")),
            with(ec(), "crv", json!("secp256k1")),
            with(ec(), "x", json!("AAAA")),
            with(ec(), "x", json!("!")),
            with(ec(), "kty", json!("oct")),
            {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "oct"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "n": "", "e": ""},
            {"kty": "new"},
            "text", 7, null, {},
        ]);
        let error = parse(others.clone(), &[ES256, RS256]).unwrap_err();
        assert_eq!(error, "none of the 16 keys published is for ES256, RS256");
        let mut all = others.as_array().unwrap().clone();
        all.push(with(with(ec(), "use", json!("sig")), "key_ops", json!(["verify"])));
        assert_eq!(parse(json!(all), &[ES256, RS256]).unwrap().keys, 1);
    }

    #[test]
    fn what_is_no_key_set_says_why() {
        let said = |text: &str| KeySet::parse(text.as_bytes(), &[Algorithm::RS256]).unwrap_err();
        assert!(said("<html>").starts_with("the answer is no JSON: "), "{}", said("<html>"));
        for text in ["[]", "{}", r#"{"keys": {}}"#, "null"] {
            assert_eq!(said(text), "the answer is no JWK Set: it has no list 'keys'", "{text}");
        }
        assert_eq!(said(r#"{"keys": []}"#), "none of the 0 keys published is for RS256");
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(text in r#"[{}\[\]":,a-zA-Z0-9_\-]{0,100}"#, n in "[A-Za-z0-9_=-]{0,60}") {
            let _ = KeySet::parse(text.as_bytes(), &Algorithm::ALL);
            for kind in ["RSA", "EC", "OKP"] {
                let key = json!({"kty": kind, "crv": "P-256", "n": n, "e": n, "x": n, "y": n});
                let _ = parse(json!([key]), &Algorithm::ALL);
            }
        }
    }
}
