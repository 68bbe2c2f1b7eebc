//! User names and passwords: Kong's plugin `basic-auth`.

mod config;
mod layer;
mod login;
mod password;
mod policy;
mod verified;
mod verifier;

pub use config::BasicAuthConfig;
pub use layer::BasicAuthLayer;
pub use password::{PasswordError, hash_password};
pub use policy::BasicAuth;
