//! What is checked of those who name certificates.

use serde_json::{Map, Value};
use towergate_schema::Path;

use super::Kind;
use super::syntax::{Complaint, Complaints};
use super::validate::Validation;

impl Validation<'_> {
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
