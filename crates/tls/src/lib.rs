#![doc = include_str!("../README.md")]

mod authority;
mod certificates;
mod ciphers;
mod client;
mod client_certificates;
mod error;
mod expiry;
mod explain;
mod identity;
mod names;
mod pem;
mod self_signed;
mod server;
mod sessions;
mod verify;

pub use authority::{Authorities, Authority};
pub use certificates::{CertificateSource, Certificates};
pub use ciphers::agreed;
pub use client::{Client, Clients, PemPair, Protocol, Trust};
pub use client_certificates::Asked;
pub use error::{Part, PemError, SettingsError};
pub use expiry::Expiry;
pub use explain::explain;
pub use identity::{Identities, Identity};
pub use names::names;
pub use pem::from_base64;
pub use self_signed::{SelfSignedError, self_signed, self_signed_unkept};
pub use server::{CipherSuite, Custom, Server, ServerSettings, Version};
