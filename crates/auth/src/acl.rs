//! Who may and who may not, by the groups they are in: Kong's plugin `acl`.

mod config;
mod layer;
mod policy;

pub use config::AclConfig;
pub use layer::AclLayer;
pub use policy::Acl;
