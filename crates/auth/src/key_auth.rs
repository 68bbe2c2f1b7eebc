//! API keys: Kong's plugin `key-auth`.

mod config;
mod layer;
mod policy;
mod search;

pub use config::KeyAuthConfig;
pub use layer::KeyAuthLayer;
pub use policy::KeyAuth;
