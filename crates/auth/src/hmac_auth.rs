//! Signed requests: Kong's plugin `hmac-auth`.

mod algorithm;
mod config;
mod date;
mod digest;
mod layer;
mod parameters;
mod policy;
mod signed;

pub use algorithm::HmacAlgorithm;
pub use config::HmacAuthConfig;
pub use layer::HmacAuthLayer;
pub use policy::HmacAuth;
