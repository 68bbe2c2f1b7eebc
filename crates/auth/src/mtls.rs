//! Client certificates: the plugin `mtls-auth` of Kong's Enterprise edition.
//!
//! The handshake asks a client for a certificate and makes sure that it has the private key; whether
//! one of the authorities trusted here has issued it is found out when a request comes, and
//! remembered. Then the names in it (those of `subjectAltName` first, then the common name) tell the
//! consumer.
//!
//! Embedded in a service that shakes hands itself, put what the client has shown into the requests'
//! extensions, as `Arc<towergate_core::PeerCertificate>`, and use [`MtlsLayer`].
//!
//! # What it answers
//!
//! | status | body | when |
//! | --- | --- | --- |
//! | 401 | `{"message":"No required TLS certificate was sent"}` | no certificate, or no TLS |
//! | 401 | `{"message":"TLS certificate failed verification"}` | expired, not issued by an authority trusted here, not for clients, or nobody's |
//! | 500 | `anonymous consumer X is configured but doesn't exist` | what it says |

mod certificate;
mod config;
mod layer;
mod policy;
mod verify;

pub use config::MtlsAuthConfig;
pub use layer::MtlsLayer;
pub use policy::MtlsAuth;
