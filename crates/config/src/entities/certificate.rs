//! Certificates, and the server names they are shown for.

use serde::{Deserialize, Serialize};
use towergate_schema::{Schema, typedefs};
use uuid::Uuid;

use super::{link, rules};

/// A certificate with its private key, in PEM. What is inside is looked at by the [`Catalog`](crate::Catalog).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(mutually_required("cert_alt", "key_alt"))]
pub struct Certificate {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// The certificate and those between it and the root.
    #[schema(required, like = rules::certificate, referenceable)]
    pub cert: String,
    /// Its private key.
    #[schema(required, like = rules::private_key, referenceable, encrypted)]
    pub key: String,
    /// A second certificate with another type of key.
    #[schema(like = rules::certificate, referenceable)]
    pub cert_alt: Option<String>,
    /// The private key of the second.
    #[schema(like = rules::private_key, referenceable, encrypted)]
    pub key_alt: Option<String>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// The same with the secrets in place of the references; none if there are none.
    #[serde(skip)]
    #[schema(skip)]
    pub(crate) revealed: Option<Box<Certificate>>,
}

impl Certificate {
    /// The certificate to use: references to secrets are replaced by the secrets. Never show it.
    #[must_use]
    pub fn effective(&self) -> &Self {
        self.revealed.as_deref().unwrap_or(self)
    }
}

/// A certificate authority that is trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct CaCertificate {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// The certificate, in PEM.
    #[schema(required, like = one_certificate)]
    pub cert: String,
    /// The SHA-256 of the certificate, in hexadecimal.
    #[schema(unique)]
    pub cert_digest: Option<String>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

/// A server name and the certificate that is shown for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Sni {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// The name, or one with `*` at either end; unique.
    #[schema(required, unique, like = typedefs::wildcard_host)]
    pub name: String,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// The certificate.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_certificates)]
    pub certificate: Uuid,
}

fn one_certificate() -> towergate_schema::Field {
    rules::certificate().custom(|value| {
        let count = value.as_str().unwrap_or_default().matches("-----BEGIN CERTIFICATE-----").count();
        if count > 1 { Err("please submit only one certificate at a time".to_owned()) } else { Ok(()) }
    })
}
