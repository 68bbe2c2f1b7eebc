//! Signed tokens (JOSE: RFC 7515 to 7519), as far as all who check them need the same.

mod algorithm;
mod claims;
mod key;
mod pem;
#[cfg(feature = "jwt")]
mod secret;
mod token;

pub use algorithm::Algorithm;
pub(crate) use claims::Registered;
pub use claims::VerifiedClaims;
pub use key::PublicKey;
#[cfg(feature = "jwks")]
pub(crate) use pem::{KeyKind, WrittenKey};
#[cfg(feature = "jwt")]
pub(crate) use secret::{hmac_is_good, secret_from_base64};
pub(crate) use token::{Malformed, Token};
