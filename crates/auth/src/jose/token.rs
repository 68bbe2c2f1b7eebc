//! The parts of a token in compact form: `header.claims.signature`.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::{algorithm::Algorithm, claims::object};

/// A token taken apart; nothing of it is proven.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    /// What was signed: the first two parts as they were sent.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// Why a text is no token, in Kong's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Larger than it may be.
    TooLarge,
    /// Header or claims are no JSON in base64url, or name a member twice.
    Json,
    /// The header names no algorithm that is known here.
    Algorithm,
    /// The claims are no object.
    Claims,
    /// The signature is no base64url.
    Signature,
    /// The header names extensions that a reader must understand (`crit`); none is understood here.
    Critical,
}

impl Malformed {
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::TooLarge => "Bad token; too large",
            Self::Json => "Bad token; invalid JSON",
            Self::Algorithm => "Bad token; invalid alg",
            Self::Claims => "Bad token; invalid claims",
            Self::Signature => "Bad token; invalid signature",
            Self::Critical => "Bad token; invalid crit",
        }
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart. Who calls has limited its size. Base64url is read strictly (RFC 7515 section 2):
    /// no padding, no other alphabet, no bits left over; each token has one spelling only.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, Malformed> {
        let dot = |from: usize| text.iter().skip(from).position(|byte| *byte == b'.').map(|at| at.saturating_add(from));
        let first = dot(0).ok_or(Malformed::Json)?;
        let second = dot(first.saturating_add(1)).ok_or(Malformed::Json)?;
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let header = decoded_object(part(0, first))?;
        let claims = decoded_object(part(first.saturating_add(1), second))?;
        let header = header.ok_or(Malformed::Algorithm)?;
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let algorithm = algorithm.ok_or(Malformed::Algorithm)?;
        if header.contains_key("crit") {
            return Err(Malformed::Critical);
        }
        let claims = claims.ok_or(Malformed::Claims)?;
        let signature = part(second.saturating_add(1), text.len());
        let signature = BASE64URL_NOPAD.decode(signature).map_err(|_| Malformed::Signature)?;
        Ok(Self { algorithm, header, claims, signed: part(0, second), signature })
    }
}

fn decoded_object(part: &[u8]) -> Result<Option<Map<String, Value>>, Malformed> {
    let json = BASE64URL_NOPAD.decode(part).map_err(|_| Malformed::Json)?;
    object(&json).map_err(|_| Malformed::Json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(header: &str, claims: &str) -> String {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn parts_are_told_apart() {
        let text = encoded(r#"{"alg":"ES512","kid":"k"}"#, r#"{"iss":"i"}"#);
        let token = Token::parse(text.as_bytes()).unwrap();
        assert_eq!(token.algorithm, Algorithm::ES512);
        assert_eq!(token.header["kid"], "k");
        assert_eq!(token.claims["iss"], "i");
        assert_eq!(token.signature, b"sig");
        assert_eq!(token.signed, text.strip_suffix(".c2ln").unwrap().as_bytes());
    }

    #[test]
    fn what_is_no_token_says_why() {
        let good = encoded(r#"{"alg":"HS256"}"#, "{}");
        let cases = [
            (String::new(), Malformed::Json),
            ("x".into(), Malformed::Json),
            ("a.b".into(), Malformed::Json),
            ("..".into(), Malformed::Json),
            (good.replace('.', "=."), Malformed::Json),
            (encoded("no json", "{}"), Malformed::Json),
            (encoded(r#"{"alg":"HS256"}"#, "no json"), Malformed::Json),
            (encoded(r#"{"alg":"HS256","alg":"none"}"#, "{}"), Malformed::Json),
            (encoded(r#"{"alg":"HS256"}"#, r#"{"exp":1,"exp":99999999999}"#), Malformed::Json),
            (encoded(r#"{"alg":"none"}"#, "{}"), Malformed::Algorithm),
            (encoded(r#"{"alg":"None"}"#, "{}"), Malformed::Algorithm),
            (encoded(r#"{"alg":["HS256"]}"#, "{}"), Malformed::Algorithm),
            (encoded("{}", "{}"), Malformed::Algorithm),
            (encoded("[]", "{}"), Malformed::Algorithm),
            (encoded(r#"{"alg":"HS256"}"#, "[]"), Malformed::Claims),
            (encoded(r#"{"alg":"HS256"}"#, "null"), Malformed::Claims),
            (encoded(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}"), Malformed::Critical),
            (encoded(r#"{"alg":"HS256","crit":[]}"#, "{}"), Malformed::Critical),
            (format!("{good}="), Malformed::Signature),
            (format!("{good}.more"), Malformed::Signature),
            (format!("{good}!"), Malformed::Signature),
        ];
        for (text, expected) in cases {
            assert_eq!(Token::parse(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn bits_left_over_are_refused() {
        // "e30" is {}; "e31" would decode to the same bytes with a bit left over.
        let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS256"}"#);
        assert!(Token::parse(format!("{header}.e30.c2ln").as_bytes()).is_ok());
        assert_eq!(Token::parse(format!("{header}.e31.c2ln").as_bytes()).unwrap_err(), Malformed::Json);
        assert_eq!(Token::parse(format!("{header}.e30.c2k").as_bytes()).map(|t| t.signature), Ok(b"si".to_vec()));
        assert_eq!(Token::parse(format!("{header}.e30.c2l").as_bytes()).unwrap_err(), Malformed::Signature);
    }

    impl PartialEq for Token<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.signed == other.signed && self.signature == other.signature
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Token::parse(&text);
        }

        #[test]
        fn nothing_near_a_token_panics(
            header in r#"[{}\[\]"a-z:,0-9\\u]{0,30}"#,
            claims in r#"[{}\[\]"a-z:,0-9\\u]{0,30}"#,
            tail in "[.=a-zA-Z0-9_-]{0,20}",
        ) {
            let _ = Token::parse((encoded(&header, &claims) + &tail).as_bytes());
        }
    }
}
