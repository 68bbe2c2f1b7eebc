//! Why a request is refused, and how that is said.

use http::{HeaderValue, StatusCode, header};
use towergate_core::{Context, Reply};

use crate::{
    bearer::Challenges,
    jose::{Malformed, Registered},
};

/// Why a request does not prove by a token who it is from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It shows none.
    NoToken,
    /// It shows several that differ.
    Several,
    /// A query argument without a text.
    NoText,
    /// What it shows is no token.
    Malformed(Malformed),
    /// The token does not name its key.
    NoKeyClaim,
    /// The token does not name its key by a text.
    BadKeyClaim,
    /// Nobody has this key.
    Unknown,
    /// The token is not signed as the credential says.
    Algorithm,
    /// The credential has nothing to check signatures with.
    NoMaterial,
    /// The signature is not that of the token.
    Signature,
    /// What is wrong with its times.
    Times(Vec<(Registered, &'static str)>),
    /// The credential is nobody's, by this key.
    NoConsumer(String),
}

impl Refusal {
    /// What the client reads.
    pub(super) fn reply(&self, cx: &Context, key_claim: &str, challenges: &Challenges) -> Reply {
        let reply = match self {
            Self::Times(faults) => times(cx, faults),
            _ => Reply::exit(StatusCode::UNAUTHORIZED, self.message(key_claim)),
        };
        match self {
            Self::NoConsumer(_) => reply,
            Self::NoToken => reply.with_header(header::WWW_AUTHENTICATE, challenges.plain.clone()),
            _ => reply.with_header(header::WWW_AUTHENTICATE, challenges.invalid.clone()),
        }
    }

    fn message(&self, key_claim: &str) -> String {
        match self {
            Self::NoToken | Self::Times(_) => "Unauthorized".to_owned(),
            Self::Several => "Multiple tokens provided".to_owned(),
            Self::NoText => "Unrecognizable token".to_owned(),
            Self::Malformed(why) => why.message().to_owned(),
            Self::NoKeyClaim => format!("No mandatory '{key_claim}' in claims"),
            Self::BadKeyClaim => format!("Invalid '{key_claim}' in claims"),
            Self::Unknown => format!("No credentials found for given '{key_claim}'"),
            Self::Algorithm => "Invalid algorithm".to_owned(),
            Self::NoMaterial => "Invalid key/secret".to_owned(),
            Self::Signature => "Invalid signature".to_owned(),
            Self::NoConsumer(key) => format!("Could not find consumer for '{key_claim}={key}'"),
        }
    }
}

/// `{"exp":"token expired"}`; a gRPC client gets its status alone.
fn times(cx: &Context, faults: &[(Registered, &'static str)]) -> Reply {
    if cx.asker.is_grpc() {
        return Reply::empty(StatusCode::UNAUTHORIZED);
    }
    let members: Vec<_> = faults.iter().map(|(claim, why)| format!("\"{}\":\"{why}\"", claim.name())).collect();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    Reply::raw(StatusCode::UNAUTHORIZED, json, format!("{{{}}}", members.join(",")))
}
