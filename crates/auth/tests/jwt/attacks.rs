//! Attacks.

use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use towergate_auth::{Algorithm, JwtConfig, PublicKey};

use crate::{
    support::*,
    tokens::{self, Signer, encode},
};

#[tokio::test]
async fn attack_none_and_other_spellings() {
    let (_, accounts) = hs256();
    let policy = policy(JwtConfig::default());
    for name in ["none", "None", "NONE", "nOnE", "hs256", ""] {
        let head = encode(json!({"alg": name}).to_string().as_bytes());
        let body = encode(json!({"iss": "app"}).to_string().as_bytes());
        for token in [format!("{head}.{body}."), format!("{head}.{body}")] {
            let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
            assert!(seen.is_none(), "{token}");
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
        let answer = ask(&policy, &accounts, with(&format!("{head}.{body}."))).await.1;
        assert_eq!(answer, message("Bad token; invalid alg"), "{name}");
    }
}

#[tokio::test]
async fn attack_public_key_as_secret() {
    let rsa = Signer::new(Algorithm::RS256);
    let accounts = accounts(rsa.key(Algorithm::RS256));
    let policy = policy(JwtConfig::default());
    let pem = rsa.pem();
    for secret in [pem.clone(), pem.trim_end().to_owned(), pem.replace('\n', "")] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let token = Signer::Secret(secret.clone()).token(algorithm, &json!({"iss": "app"}));
            assert_eq!(ask(&policy, &accounts, with(&token)).await.1, message("Invalid algorithm"));
        }
    }
}

#[tokio::test]
async fn attack_another_algorithm_of_the_same_key() {
    let rsa = Signer::new(Algorithm::RS256);
    let accounts = accounts(rsa.key(Algorithm::RS256));
    let policy = policy(JwtConfig::default());
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = rsa.token(algorithm, &json!({"iss": "app"}));
        assert_eq!(ask(&policy, &accounts, with(&token)).await.1, message("Invalid algorithm"));
        let claimed = rsa.token_with(algorithm, &json!({"alg": "RS256"}), &json!({"iss": "app"}));
        assert_eq!(ask(&policy, &accounts, with(&claimed)).await.1, message("Invalid signature"));
    }
}

#[test]
fn attack_wrong_curve_and_weak_keys_are_told_when_configured() {
    let p384 = Signer::new(Algorithm::ES384).pem();
    let rsa = Signer::new(Algorithm::RS256).pem();
    let cases = [
        (Algorithm::ES256, &p384, "ES256 needs an EC key on the curve P-256; this is an EC key on the curve P-384"),
        (Algorithm::ES512, &rsa, "ES512 needs an EC key on the curve P-521; this is an RSA key of 2048 bits"),
        (Algorithm::RS256, &p384, "RS256 needs an RSA key of 2048 to 8192 bits; this is an EC key on the curve P-384"),
        (Algorithm::EdDSA, &rsa, "EdDSA needs an Ed25519 key; this is an RSA key of 2048 bits"),
        (Algorithm::HS256, &rsa, "HS256 is checked with a secret, not with a public key"),
    ];
    for (algorithm, pem, expected) in cases {
        assert_eq!(PublicKey::from_pem(algorithm, pem).unwrap_err(), expected);
    }
    let private = tokens::pem("PRIVATE KEY", b"x");
    let why = PublicKey::from_pem(Algorithm::RS256, &private).unwrap_err();
    assert_eq!(why, "invalid key: 'PUBLIC KEY', 'RSA PUBLIC KEY' or 'CERTIFICATE' is needed, this is 'PRIVATE KEY'");
    let why = PublicKey::from_pem(Algorithm::RS256, "ssh-rsa AAAA").unwrap_err();
    assert_eq!(why, "invalid key: no PEM block (-----BEGIN PUBLIC KEY-----)");
    let why = PublicKey::from_pem(Algorithm::RS256, &tokens::pem("PUBLIC KEY", b"garbage")).unwrap_err();
    assert_eq!(why, "invalid key: what stands in 'PUBLIC KEY' is none");
}

#[tokio::test]
async fn attack_injected_key_names() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig { key_claim_name: Some("kid".into()), ..JwtConfig::default() });
    let names = [
        "../../../../../../dev/null".to_owned(),
        "/etc/passwd".to_owned(),
        "app' OR '1'='1".to_owned(),
        "app'; DROP TABLE jwt_secrets; --".to_owned(),
        "app\u{0}".to_owned(),
        "app\r\nX-Consumer-Username: root".to_owned(),
        " app".to_owned(),
        "APP".to_owned(),
        "http://evil.example/jwks.json".to_owned(),
        "k".repeat(5000),
    ];
    for name in names {
        // Signed with an empty file, with nothing, and with the right secret: the name is not anybody's.
        for signer in [&Signer::Secret(String::new()), &signer] {
            let token = signer.token_with(Algorithm::HS256, &json!({"alg": "HS256", "kid": name}), &json!({}));
            let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
            assert!(seen.is_none(), "{name}");
            assert_eq!(answer, message("No credentials found for given 'kid'"), "{name}");
        }
    }
    // Where a token says its key is to be found is not looked at.
    let header = json!({"alg": "HS256", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "jwk": {"kty": "oct", "k": ""}, "kid": "app"});
    let forged = Signer::Secret(String::new()).token_with(Algorithm::HS256, &header, &json!({}));
    assert_eq!(ask(&policy, &accounts, with(&forged)).await.1, message("Invalid signature"));
}

#[tokio::test]
async fn attack_crit_and_names_that_are_there_twice() {
    let (signer, accounts) = hs256();
    let policy = policy(strict());
    let claims = json!({"iss": "app", "exp": NOW + 60, "nbf": 0}).to_string();
    let cases = [
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, claims.as_str(), "Bad token; invalid crit"),
        (r#"{"alg":"HS256","crit":["exp"]}"#, &claims, "Bad token; invalid crit"),
        (r#"{"alg":"none","alg":"HS256"}"#, &claims, "Bad token; invalid JSON"),
        (r#"{"alg":"HS256"}"#, r#"{"iss":"app","nbf":0,"exp":1,"exp":99999999999}"#, "Bad token; invalid JSON"),
        (r#"{"alg":"HS256"}"#, r#"{"iss":"nobody","iss":"app","nbf":0,"exp":99999999999}"#, "Bad token; invalid JSON"),
    ];
    for (header, claims, expected) in cases {
        let token = signer.token_of(Algorithm::HS256, header, claims);
        let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
        assert!(seen.is_none(), "{header} {claims}");
        assert_eq!(answer, message(expected), "{header} {claims}");
    }
}

#[tokio::test]
async fn attack_another_spelling_of_a_good_token() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig::default());
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app", "text": "???>>>"}));
    assert_eq!(ask(&policy, &accounts, with(&token)).await.1.status, StatusCode::OK);
    let last = token.pop_letter();
    for spelling in [
        format!("{token}="),
        format!("{token}."),
        format!("{token}\u{20}x"),
        token.replace('-', "+").replace('_', "/"),
        token.to_uppercase(),
        last,
    ] {
        if spelling != token {
            let (seen, answer) = ask(&policy, &accounts, with(&spelling)).await;
            assert!(seen.is_none(), "{spelling}: {answer:?}");
        }
    }
}

trait PopLetter {
    fn pop_letter(&self) -> String;
}

impl PopLetter for String {
    /// The last letter replaced by one that differs only in the bits that do not count.
    fn pop_letter(&self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let at = alphabet.iter().position(|letter| *letter == *self.as_bytes().last().unwrap()).unwrap();
        format!("{}{}", &self[..self.len() - 1], alphabet[at ^ 1] as char)
    }
}

#[tokio::test]
async fn attack_huge_tokens() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig::default());
    let token = |bytes: usize| signer.token(Algorithm::HS256, &json!({"iss": "app", "padding": "x".repeat(bytes)}));
    assert_eq!(ask(&policy, &accounts, with(&token(5000))).await.1.status, StatusCode::OK);
    assert_eq!(ask(&policy, &accounts, with(&token(9000))).await.1, message("Bad token; too large"));
    assert_eq!(ask(&policy, &accounts, with(&".".repeat(1 << 20))).await.1, message("Bad token; too large"));
    let nested = encode(format!(r#"{{"alg":{}{}}}"#, "[".repeat(2900), "]".repeat(2900)).as_bytes());
    assert_eq!(ask(&policy, &accounts, with(&format!("{nested}.e30.x"))).await.1, message("Bad token; invalid JSON"));
}

#[tokio::test]
async fn spoofed_identity_headers_are_replaced() {
    let (signer, accounts) = hs256();
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app"}));
    let mut request = with(&token);
    for name in [
        "x-consumer-username",
        "x-consumer-id",
        "x-credential-identifier",
        "x-anonymous-consumer",
        "x_consumer_username",
    ] {
        for _ in 0..2 {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static("root"));
        }
    }
    let seen = ask(&policy(JwtConfig::default()), &accounts, request).await.0.unwrap();
    assert!(seen.headers.values().all(|value| value != "root"), "{:?}", seen.headers);
    assert_eq!(seen.headers["x-consumer-username"], "alice");
}
