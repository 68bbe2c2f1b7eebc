//! What only one entity may have.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Edit, Refusal};
use crate::config::AnyEntity;
use crate::declarative::Kind;
use crate::entities::Entity;

impl Edit<'_> {
    /// Refuses an entity that has what another one has already. `own` is the id of the one it replaces.
    pub(super) fn check_unique(&self, entity: &AnyEntity, own: Option<Uuid>) -> Result<(), Refusal> {
        let new = entity.entity();
        let (kind, id) = (new.kind(), new.id());
        let is_other = |other: &&dyn Entity| Some(other.id()) != own;
        for other in self.config.iter(kind).filter(is_other) {
            if let Some(fields) = shared(kind, new, other) {
                return Err(Refusal::unique_violation(fields));
            }
            if other.id() == id {
                return Err(Refusal::primary_key_violation(id));
            }
        }
        Ok(())
    }
}

/// What two entities have in common that they must not.
fn shared(kind: Kind, new: &dyn Entity, other: &dyn Entity) -> Option<Map<String, Value>> {
    let together = kind.unique_together();
    let equal = |field: &&str| new.text(field) == other.text(field) && new.link(field) == other.link(field);
    if !together.is_empty() && together.iter().all(equal) {
        return Some(together.iter().filter_map(|field| named(new, field)).collect());
    }
    let digest = if kind == Kind::CaCertificates { Some("cert_digest") } else { None };
    let single = kind.endpoint_key().into_iter().chain(kind.also_unique().iter().copied()).chain(digest);
    let field = single.into_iter().find(|field| new.text(field).is_some() && new.text(field) == other.text(field))?;
    Some(Map::from_iter([(field.to_owned(), json!(new.text(field)))]))
}

/// A field and its value, as Kong names it. Open-source Kong has no groups of consumers.
fn named(entity: &dyn Entity, field: &str) -> Option<(String, Value)> {
    let value = match (entity.text(field), entity.link(field)) {
        (Some(text), _) => json!(text),
        (None, Some(id)) => json!({ "id": id }),
        (None, None) if field == "consumer_group" => return None,
        (None, None) => Value::Null,
    };
    Some((field.to_owned(), value))
}
