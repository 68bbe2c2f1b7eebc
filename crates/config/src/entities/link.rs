//! Ids of other entities: `{"id": "…"}` as written, [`Uuid`] in memory.

use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde::{Serialize as _, Serializer};
use towergate_schema::{Field, Reference};
use uuid::Uuid;

/// For fields that always name somebody.
pub(super) mod required {
    use super::{Deserializer, Serializer, Uuid};

    pub(in crate::entities) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(&Some(*id), serializer)
    }

    pub(in crate::entities) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        use serde::de::Error as _;
        super::deserialize(deserializer)?.ok_or_else(|| D::Error::custom("expected a reference"))
    }
}

pub(super) fn serialize<S: Serializer>(id: &Option<Uuid>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(Reference::Id).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    match Option::<Reference>::deserialize(deserializer)? {
        None => Ok(None),
        Some(reference) => reference.id().map(Some).ok_or_else(|| D::Error::custom("expected a reference by id")),
    }
}

macro_rules! to {
    ($($name:ident => $collection:literal),*) => {
        $(pub(super) fn $name() -> Field {
            Field::foreign_key($collection)
        })*
    };
}

to!(
    to_certificates => "certificates",
    to_consumer_groups => "consumer_groups",
    to_consumers => "consumers",
    to_key_sets => "key_sets",
    to_oauth2_credentials => "oauth2_credentials",
    to_routes => "routes",
    to_services => "services",
    to_upstreams => "upstreams"
);
