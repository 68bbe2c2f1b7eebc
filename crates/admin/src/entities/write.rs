//! Changing: what is asked for is tried on the configuration, compiled, kept, and put into force.

use std::sync::Arc;

use axum::{extract::Request, response::Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use towergate_config::{Catalog, Config, Edit, Kind, Named, PluginLookup, entities::Entity, entities::record};
use uuid::Uuid;

use super::{Denied, expiry, named::named, shown};
use crate::{
    Admin,
    answer::{answer, nothing},
    body::{self, Body},
    collections::Place,
};

/// Answers a `POST`, `PUT`, `PATCH` or `DELETE`.
pub(super) async fn change(
    admin: Arc<Admin>,
    place: Place,
    names: Vec<String>,
    request: Request,
) -> Result<Response, Denied> {
    let method = request.method().clone();
    let fields = match method {
        Method::DELETE => Map::new(),
        _ => fields(&admin, place, &names, body::read(request).await?),
    };
    let change = Change { place, method, names, fields };
    let (status, entity) = admin.change(move |edit, catalog| change.make(edit, catalog)).await?;
    Ok(entity.map_or_else(nothing, |entity| answer(status, entity)))
}

/// The fields a body gives. What they mean in a form depends on the kind, and on the plugin.
fn fields(admin: &Admin, place: Place, names: &[String], body: Body) -> Map<String, Value> {
    let kind = place.kind();
    if kind != Kind::Plugins {
        return body.into_fields(record(kind));
    }
    let index = admin.configured.index();
    let present = names.last().and_then(|name| index.find(kind, &Named::new(name)));
    let name = body.fields.get("name").and_then(Value::as_str).or_else(|| present?.text("name")).unwrap_or_default();
    match admin.control.registry().plugin(name) {
        PluginLookup::Known(schema) => body.into_fields(&schema.entity()),
        PluginLookup::NotYet | PluginLookup::Unknown => body.into_fields(record(kind)),
    }
}

/// What a request asks for. It may be made more than once, if others commit meanwhile.
struct Change {
    place: Place,
    method: Method,
    names: Vec<String>,
    fields: Map<String, Value>,
}

type Made = Result<(StatusCode, Option<Value>), Denied>;

impl Change {
    fn make(&self, edit: &mut Edit<'_>, catalog: &dyn Catalog) -> Made {
        let kind = self.place.kind();
        if expiry::may_end(kind) {
            expiry::forget(edit);
        }
        let id = match self.method {
            Method::POST => self.post(edit)?,
            Method::PUT => self.put(edit)?,
            Method::PATCH => self.patch(edit)?,
            _ => {
                self.delete(edit)?;
                return Ok((StatusCode::NO_CONTENT, None));
            }
        };
        let status = if self.method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
        let entity = edit.config().by_id(kind, id).map(|entity| shown(entity, edit.config(), catalog));
        Ok((status, entity))
    }

    fn name(&self, position: usize) -> &str {
        self.names.get(position).map_or("", String::as_str)
    }

    fn post(&self, edit: &mut Edit<'_>) -> Result<Uuid, Denied> {
        let mut fields = self.fields.clone();
        match self.place {
            Place::Children { parent, field, kind } => {
                let parent = present(edit, parent, None, self.name(0))?.id();
                fields.insert(field.to_owned(), json!({ "id": parent }));
                insert(edit, kind, fields)
            }
            place => insert(edit, place.kind(), fields),
        }
    }

    fn put(&self, edit: &mut Edit<'_>) -> Result<Uuid, Denied> {
        let mut fields = self.fields.clone();
        match self.place {
            Place::Linked { kind, field, to } => {
                let entity = present(edit, kind, None, self.name(0))?;
                let (id, link) = (entity.id(), entity.link(field));
                let linked = edit.upsert(to, &Named::Id(link.unwrap_or_else(Uuid::new_v4)), fields)?;
                if link.is_none() {
                    let link = Map::from_iter([(field.to_owned(), json!({ "id": linked }))]);
                    edit.update(kind, &Named::Id(id), link)?;
                }
                Ok(linked)
            }
            // Kong makes no target this way.
            Place::Child { kind: Kind::Targets, .. } => self.patch(edit),
            Place::Child { parent, field, kind } => {
                let parent = present(edit, parent, None, self.name(0))?.id();
                fields.insert(field.to_owned(), json!({ "id": parent }));
                let named = to_put(edit.config(), kind, Some(parent), self.name(1), &mut fields)?;
                upsert(edit, kind, &named, fields)
            }
            place => {
                let kind = place.kind();
                let named = to_put(edit.config(), kind, None, self.name(0), &mut fields)?;
                upsert(edit, kind, &named, fields)
            }
        }
    }

    fn patch(&self, edit: &mut Edit<'_>) -> Result<Uuid, Denied> {
        let mut fields = self.fields.clone();
        match self.place {
            Place::Linked { kind, field, to } => {
                let link = present(edit, kind, None, self.name(0))?.link(field).ok_or(Denied::NOT_FOUND)?;
                Ok(edit.update(to, &Named::Id(link), fields)?)
            }
            Place::Child { kind, field, .. } => {
                let (parent, child) = self.child(edit)?;
                fields.entry(field).or_insert_with(|| json!({ "id": parent }));
                update(edit, kind, &Named::Id(child), fields)
            }
            place => {
                let kind = place.kind();
                let named = named(edit.config(), kind, None, self.name(0))?;
                update(edit, kind, &named, fields)
            }
        }
    }

    fn delete(&self, edit: &mut Edit<'_>) -> Result<(), Denied> {
        match self.place {
            Place::Linked { kind, field, .. } => {
                present(edit, kind, None, self.name(0))?.link(field).ok_or(Denied::NOT_FOUND)?;
                Err(Denied::Said(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"))
            }
            Place::Child { kind, .. } => {
                let (_, child) = self.child(edit)?;
                Ok(edit.delete(kind, &Named::Id(child))?)
            }
            place => {
                let kind = place.kind();
                let named = named(edit.config(), kind, None, self.name(0))?;
                Ok(edit.delete(kind, &named)?)
            }
        }
    }

    /// The ids of a parent and of the child of it that is meant.
    fn child(&self, edit: &Edit<'_>) -> Result<(Uuid, Uuid), Denied> {
        let Place::Child { parent, field, kind } = self.place else { return Err(Denied::NOT_FOUND) };
        let parent = present(edit, parent, None, self.name(0))?.id();
        let child = present(edit, kind, Some(parent), self.name(1))?;
        if child.link(field) == Some(parent) { Ok((parent, child.id())) } else { Err(Denied::NOT_FOUND) }
    }
}

fn present<'a>(edit: &'a Edit<'_>, kind: Kind, parent: Option<Uuid>, segment: &str) -> Result<&'a dyn Entity, Denied> {
    let named = named(edit.config(), kind, parent, segment)?;
    edit.find(kind, &named)?.filter(|entity| !expiry::is_over(*entity)).ok_or(Denied::NOT_FOUND)
}

fn insert(edit: &mut Edit<'_>, kind: Kind, mut fields: Map<String, Value>) -> Result<Uuid, Denied> {
    if expiry::may_end(kind) {
        expiry::count_from_now(&mut fields, None)?;
    }
    Ok(edit.insert(kind, fields)?)
}

fn upsert(edit: &mut Edit<'_>, kind: Kind, named: &Named, mut fields: Map<String, Value>) -> Result<Uuid, Denied> {
    if expiry::may_end(kind) {
        expiry::count_from_now(&mut fields, edit.find(kind, named)?)?;
    }
    Ok(edit.upsert(kind, named, fields)?)
}

fn update(edit: &mut Edit<'_>, kind: Kind, named: &Named, mut fields: Map<String, Value>) -> Result<Uuid, Denied> {
    if expiry::may_end(kind) {
        expiry::count_from_now(&mut fields, edit.find(kind, named)?)?;
    }
    Ok(edit.update(kind, named, fields)?)
}

/// Which entity a `PUT` means. A certificate that is named by a server name gets that name; a group
/// of acl that is named by itself is that group.
fn to_put(
    config: &Config,
    kind: Kind,
    parent: Option<Uuid>,
    segment: &str,
    fields: &mut Map<String, Value>,
) -> Result<Named, Denied> {
    let is_name = matches!(Named::new(segment), Named::Key(_));
    match kind {
        Kind::Certificates => {
            let names = fields.entry("snis").or_insert_with(|| json!([]));
            match names {
                Value::Array(names) if is_name && names.iter().all(|name| name != segment) => {
                    names.push(segment.into());
                }
                Value::String(name) if is_name && name != segment => *names = json!([name, segment]),
                Value::String(name) => *names = json!([name]),
                _ => {}
            }
        }
        Kind::Acls if is_name && parent.is_some() => {
            fields.entry("group").or_insert_with(|| segment.into());
        }
        _ => return named(config, kind, parent, segment),
    }
    Ok(named(config, kind, parent, segment).unwrap_or_else(|_| Named::Id(Uuid::new_v4())))
}
