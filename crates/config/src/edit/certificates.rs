//! The `snis` of a certificate, which are entities of their own.

use serde_json::{Map, Value, json};
use towergate_schema::Problem;
use uuid::Uuid;

use super::{Edit, Named, Refusal, Written};
use crate::declarative::Kind;

impl Edit<'_> {
    /// Takes the server names out of what is written of a certificate. `own` is the id it has already.
    pub(super) fn take_names(
        &self,
        kind: Kind,
        written: &mut Written,
        own: Option<Uuid>,
    ) -> Result<Option<Vec<String>>, Refusal> {
        if kind != Kind::Certificates {
            return Ok(None);
        }
        let mut names: Vec<String> = match written.shift_remove("snis") {
            None => return Ok(None),
            Some(Value::Null) => Vec::new(),
            Some(Value::Object(fields)) if fields.is_empty() => Vec::new(),
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.into_iter().map(text).collect::<Result<_, _>>()?,
            Some(_) => return Err(wrong("expected an array")),
        };
        names.sort();
        for (name, next) in names.iter().zip(names.iter().skip(1)) {
            if name == next {
                return Err(wrong(&format!("{name} is duplicated")));
            }
        }
        for name in &names {
            let sni = self.config.snis.iter().find(|sni| sni.name == *name);
            if let Some(sni) = sni.filter(|sni| Some(sni.certificate) != own) {
                let text = format!("{name} already associated with existing certificate '{}'", sni.certificate);
                return Err(wrong(&text));
            }
        }
        Ok(Some(names))
    }

    /// Makes these the only server names of a certificate.
    pub(super) fn put_names(&mut self, certificate: Uuid, names: Option<Vec<String>>) -> Result<(), Refusal> {
        let Some(names) = names else { return Ok(()) };
        let present = self.config.snis.iter().filter(|sni| sni.certificate == certificate);
        let present: Vec<(Uuid, String)> = present.map(|sni| (sni.id, sni.name.clone())).collect();
        for (id, _) in present.iter().filter(|(_, name)| !names.contains(name)) {
            self.delete(Kind::Snis, &Named::Id(*id))?;
        }
        for name in names.iter().filter(|name| present.iter().all(|(_, present)| present != *name)) {
            let sni = json!({ "name": name, "certificate": { "id": certificate } });
            let Value::Object(sni) = sni else { return Ok(()) };
            self.insert(Kind::Snis, Map::from_iter(sni))?;
        }
        Ok(())
    }
}

fn text(value: Value) -> Result<String, Refusal> {
    match value {
        Value::String(name) => Ok(name),
        _ => Err(wrong("expected a string")),
    }
}

fn wrong(text: &str) -> Refusal {
    Refusal::schema_violation(&[Problem::field("snis", text)])
}
