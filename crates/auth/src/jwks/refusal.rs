//! Why a request is refused, and how that is said.

use http::{StatusCode, header};
use towergate_core::Reply;

use crate::{bearer::Challenges, jose::Malformed};

/// Why a request does not prove by a token of the issuer who it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It shows none.
    NoToken,
    /// It shows several that differ.
    Several,
    /// A query argument without a text.
    NoText,
    /// What it shows is no token.
    Malformed(Malformed),
    /// Not signed as is allowed.
    Algorithm,
    /// From another issuer.
    Issuer,
    /// For somebody else.
    Audience,
    /// Without an end, or with a time that is no number.
    Times,
    /// Over.
    Expired,
    /// Not valid yet.
    Early,
    /// The issuer does not publish the key.
    UnknownKey,
    /// The signature is not that of the token.
    Signature,
    /// Nobody's.
    NoConsumer,
    /// The issuer's keys have never been fetched.
    NoKeys,
}

impl Refusal {
    /// What the client reads.
    pub(super) fn reply(self, challenges: &Challenges) -> Reply {
        let reply = Reply::exit(self.status(), self.message());
        match self {
            Self::NoConsumer | Self::NoKeys => reply,
            Self::NoToken => reply.with_header(header::WWW_AUTHENTICATE, challenges.plain.clone()),
            _ => reply.with_header(header::WWW_AUTHENTICATE, challenges.invalid.clone()),
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NoConsumer => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::NoToken => "Unauthorized",
            Self::Several => "Multiple tokens provided",
            Self::NoText => "Unrecognizable token",
            Self::Malformed(why) => why.message(),
            Self::Algorithm => "Invalid algorithm",
            Self::Issuer => "Invalid issuer",
            Self::Audience => "Invalid audience",
            Self::Times => "Invalid expiration",
            Self::Expired => "Token expired",
            Self::Early => "Token not valid yet",
            Self::UnknownKey => "No key found for the token",
            Self::Signature => "Invalid signature",
            Self::NoConsumer => "No consumer found for the token",
            Self::NoKeys => "Token keys are not available",
        }
    }
}
