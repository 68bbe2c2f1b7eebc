//! Whether a token is one of the issuer's, for us, and valid now.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{keys::Keys, refusal::Refusal};
use crate::{
    jose::{Algorithm, PublicKey, Registered, Token, VerifiedClaims},
    per_worker::PerWorker,
};

/// What a token must say.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub(super) issuers: Vec<String>,
    pub(super) audiences: Vec<String>,
    /// By how many seconds the issuer's clock may differ.
    pub(super) leeway: f64,
}

/// A token that was found good.
pub(super) struct Verified {
    /// The version of the keys in which its key was seen last.
    version: u64,
    key: Arc<PublicKey>,
    key_id: Option<Box<str>>,
    claims: VerifiedClaims,
}

/// A token whose key is not among those known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownKey;

impl Expected {
    /// Whether the claims are what they must be at this time, in seconds since 1970.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: f64) -> Result<(), Refusal> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if !text("iss").is_some_and(|issuer| self.issuers.iter().any(|known| known == issuer)) {
            return Err(Refusal::Issuer);
        }
        let is_ours = |audience: &Value| self.audiences.iter().any(|known| audience == known.as_str());
        let audience = claims.get("aud").is_some_and(|audience| match audience {
            Value::Array(several) => several.iter().any(is_ours),
            one => is_ours(one),
        });
        if !audience {
            return Err(Refusal::Audience);
        }
        self.check_times(claims, now)
    }

    fn check_times(&self, claims: &Map<String, Value>, now: f64) -> Result<(), Refusal> {
        let time = |claim: Registered| claims.get(claim.name()).map(|value| value.as_f64().ok_or(Refusal::Times));
        let expires = time(Registered::Expires).ok_or(Refusal::Times)??;
        if expires + self.leeway <= now {
            return Err(Refusal::Expired);
        }
        match time(Registered::NotBefore).transpose()? {
            Some(begins) if begins - self.leeway > now => Err(Refusal::Early),
            _ => Ok(()),
        }
    }
}

/// The claims of a token that was found good before, if its key still is one of the issuer's.
pub(super) fn remembered(verified: &PerWorker<Verified>, keys: &Keys, text: &[u8]) -> Option<VerifiedClaims> {
    verified.find(text, |found| {
        keys.read(|known| {
            let (version, set) = known?;
            if found.version != version {
                let key = set.find(found.key_id.as_deref(), found.key.algorithm())?;
                if **key != *found.key {
                    return None;
                }
                found.version = version;
            }
            Some(found.claims.clone())
        })
    })
}

/// The parts of a token that is signed as is allowed and says what it must; nothing is proven yet.
pub(super) fn plausible<'a>(
    text: &'a [u8],
    algorithms: &[Algorithm],
    expected: &Expected,
    now: f64,
) -> Result<Token<'a>, Refusal> {
    let token = Token::parse(text).map_err(Refusal::Malformed)?;
    if !algorithms.contains(&token.algorithm) {
        return Err(Refusal::Algorithm);
    }
    expected.check(&token.claims, now)?;
    Ok(token)
}

/// Checks the signature with the keys known now, and remembers the token if it is good.
pub(super) fn signature(
    token: Token<'_>,
    text: &[u8],
    keys: &Keys,
    verified: &PerWorker<Verified>,
) -> Result<Result<VerifiedClaims, Refusal>, UnknownKey> {
    // An id that is no text is one that nobody has.
    let key_id = match token.header.get("kid") {
        None => None,
        Some(id) => Some(id.as_str().ok_or(UnknownKey)?),
    };
    let find = |known: Option<(u64, &super::key_set::KeySet)>| {
        let (version, set) = known?;
        Some((version, set.find(key_id, token.algorithm)?.clone()))
    };
    let (version, key) = keys.read(find).ok_or(UnknownKey)?;
    if !key.is_good(token.signed, &token.signature) {
        return Ok(Err(Refusal::Signature));
    }
    let claims = VerifiedClaims::new(token.claims);
    let key_id = key_id.map(Into::into);
    verified.keep(text, Verified { version, key, key_id, claims: claims.clone() });
    Ok(Ok(claims))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_checked_as_rfc_7519_asks() {
        let expected = Expected {
            issuers: vec!["https://a/".into(), "https://b/".into()],
            audiences: vec!["api".into(), "web".into()],
            leeway: 5.0,
        };
        let good = json!({"iss": "https://b/", "aud": ["other", "web"], "exp": 1001, "nbf": 1000});
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        let without = |name: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(name);
            claims
        };
        let cases = [
            (good.clone(), Ok(())),
            (with("iss", json!("https://b")), Err(Refusal::Issuer)),
            (with("iss", json!(["https://b/"])), Err(Refusal::Issuer)),
            (without("iss"), Err(Refusal::Issuer)),
            (with("aud", json!("api")), Ok(())),
            (with("aud", json!("API")), Err(Refusal::Audience)),
            (with("aud", json!([])), Err(Refusal::Audience)),
            (with("aud", json!([["api"]])), Err(Refusal::Audience)),
            (without("aud"), Err(Refusal::Audience)),
            (without("exp"), Err(Refusal::Times)),
            (with("exp", json!("1001")), Err(Refusal::Times)),
            (with("exp", json!(995)), Err(Refusal::Expired)),
            (with("exp", json!(995.5)), Ok(())),
            (without("nbf"), Ok(())),
            (with("nbf", json!(1005)), Ok(())),
            (with("nbf", json!(1006)), Err(Refusal::Early)),
            (with("nbf", json!(null)), Err(Refusal::Times)),
        ];
        for (claims, result) in cases {
            assert_eq!(expected.check(claims.as_object().unwrap(), 1000.0), result, "{claims}");
        }
    }
}
