//! What is checked of certificates, and of those who name them.

use serde_json::{Map, Value};
use towergate_schema::{ENTITY, Path};

use super::Kind;
use super::syntax::{Complaint, Complaints};
use super::validate::Validation;
use crate::config::Config;
use crate::entities::{self, Certificate};

impl Validation<'_> {
    /// Keeps a certificate that the catalog finds nothing wrong with.
    pub(super) fn keep_certificate(
        &self,
        position: usize,
        value: Value,
        config: &mut Config,
        complaints: &mut Complaints,
    ) -> serde_json::Result<()> {
        let before = complaints.0.len();
        let record = entities::record(Kind::Certificates);
        let revealed = self.revealed(position, record, &value, &Path::root(), complaints);
        let mut certificate: Certificate = serde_json::from_value(value)?;
        certificate.revealed = revealed.map(serde_json::from_value).transpose()?.map(Box::new);
        if complaints.0.len() == before {
            for (field, message) in self.catalog.check_certificate(certificate.effective()) {
                let path = Path::root().key(field.unwrap_or(ENTITY));
                complaints.push(Complaint::of_field(self.entities, position, path, message));
            }
        }
        config.certificates.push(certificate);
        Ok(())
    }

    /// Whatever was given as the digest, Kong takes its own.
    pub(super) fn digest_authority(
        &self,
        position: usize,
        value: &mut Map<String, Value>,
        complaints: &mut Complaints,
    ) {
        let certificate = value.get("cert").and_then(Value::as_str).unwrap_or_default();
        match self.catalog.digest_authority(certificate) {
            Ok(Some(digest)) => drop(value.insert("cert_digest".to_owned(), Value::String(digest))),
            Ok(None) => {}
            Err(why) => {
                let path = Path::root().key(ENTITY);
                complaints.push(Complaint::of_field(self.entities, position, path, why));
            }
        }
    }

    /// Kong only finds out when a request is on its way that an authority is not there.
    pub(super) fn check_authorities(&self, position: usize, value: &Map<String, Value>, complaints: &mut Complaints) {
        let ids = value.get("ca_certificates").and_then(Value::as_array).into_iter().flatten();
        for (index, id) in ids.enumerate().filter_map(|(index, id)| Some((index, id.as_str()?))) {
            let known = id.parse().is_ok_and(|id| self.index.position(Kind::CaCertificates, id).is_some());
            if !known {
                let message = format!("invalid reference 'ca_certificates: {id}' (no such entry in 'ca_certificates')");
                let path = Path::root().key("ca_certificates").index(index);
                complaints.push(Complaint::of_field(self.entities, position, path, message));
            }
        }
    }
}
