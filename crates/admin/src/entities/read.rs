//! Reading: one entity, or a page of many.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use towergate_config::{
    Code, Config, Index, Kind, Named, Refusal,
    entities::{Entity, Target},
};
use uuid::Uuid;

use super::{Denied, expiry::is_over, named::named, shown};
use crate::{
    Admin,
    answer::answer,
    collections::{Place, collection},
    page::{Asked, Page},
};

/// Answers a `GET`.
pub(super) fn get(admin: &Admin, place: Place, names: &[String], query: Option<&str>) -> Result<Response, Denied> {
    let reading = Reading { admin, index: &admin.configured.index() };
    let name = |position: usize| names.get(position).map_or("", String::as_str);
    let found = match place {
        Place::All(kind) => return reading.page(kind, None, &Asked::of(query)),
        Place::One(kind) => reading.entity(kind, None, name(0))?,
        Place::Children { parent, field, kind } => {
            let under = Under { parent, field, id: reading.entity(parent, None, name(0))?.id(), written: name(0) };
            return reading.page(kind, Some(under), &Asked::of(query));
        }
        Place::Child { parent, field, kind } => {
            let parent = reading.entity(parent, None, name(0))?.id();
            let child = reading.entity(kind, Some(parent), name(1))?;
            if child.link(field) == Some(parent) { child } else { return Err(Denied::NOT_FOUND) }
        }
        Place::Linked { kind, field, to } => {
            let id = reading.entity(kind, None, name(0))?.link(field).ok_or(Denied::NOT_FOUND)?;
            reading.index.find(to, &Named::Id(id)).ok_or(Denied::NOT_FOUND)?
        }
    };
    Ok(answer(StatusCode::OK, reading.shown(found)))
}

/// The targets of an upstream, the newest first.
pub(crate) fn of_upstream(config: &Config, upstream: Uuid) -> Vec<&Target> {
    let mut targets: Vec<_> = config.targets.iter().filter(|target| target.upstream == upstream).collect();
    targets.sort_by(|a, b| b.created_at.total_cmp(&a.created_at).then(b.id.cmp(&a.id)));
    targets
}

struct Reading<'a> {
    admin: &'a Admin,
    index: &'a Index,
}

/// The entity whose children are listed.
struct Under<'a> {
    parent: Kind,
    field: &'static str,
    id: Uuid,
    /// As the path has it.
    written: &'a str,
}

impl Reading<'_> {
    fn entity(&self, kind: Kind, parent: Option<Uuid>, segment: &str) -> Result<&dyn Entity, Denied> {
        let named = named(self.index.config(), kind, parent, segment)?;
        if matches!(named, Named::Key(_)) && kind.endpoint_key().is_none() {
            return Err(Refusal::invalid_primary_key().into());
        }
        self.index.find(kind, &named).filter(|entity| !is_over(*entity)).ok_or(Denied::NOT_FOUND)
    }

    fn shown(&self, entity: &dyn Entity) -> Value {
        shown(entity, self.index.config(), self.admin.control.registry())
    }

    fn page(&self, kind: Kind, under: Option<Under<'_>>, asked: &Asked) -> Result<Response, Denied> {
        if kind == Kind::Consumers && asked.custom_id.is_some() {
            return self.by_custom_id(asked);
        }
        let size = asked.size()?;
        if let (Kind::Targets, Some(under)) = (kind, &under) {
            return Ok(self.targets(under, size, asked));
        }
        let last = match asked.last() {
            // Without a database Kong answers an empty page.
            Err(Refusal { code: Code::InvalidOffset, .. }) if self.admin.is_read_only() => Some(Uuid::max()),
            last => last?,
        };
        let tags = asked.tags()?;
        let entities = self.index.after(kind, last).filter(|entity| match &under {
            Some(under) => entity.link(under.field) == Some(under.id),
            None => tags.fit(*entity),
        });
        let entities = entities.filter(|entity| !is_over(*entity));
        let page = Page::of(entities, size, |entity| self.shown(entity));
        let segment = collection(kind);
        let body = match &under {
            None => page.body(&format!("/{}", segment.map_or("", |collection| collection.path)), Some(asked)),
            Some(under) => {
                let path = format!("{}/{}", under.path(), segment.map_or("", |collection| collection.nested));
                page.body(&path, None)
            }
        };
        Ok(answer(StatusCode::OK, body))
    }

    /// The targets of an upstream, the newest first.
    fn targets(&self, under: &Under<'_>, size: usize, asked: &Asked) -> Response {
        let targets = of_upstream(self.index.config(), under.id);
        let data = targets.into_iter().map(|target| self.shown(target)).collect();
        let page = Page::by_position(data, size, asked);
        answer(StatusCode::OK, page.body(&format!("{}/targets", under.path()), None))
    }

    fn by_custom_id(&self, asked: &Asked) -> Result<Response, Denied> {
        let custom_id = asked.custom_id.as_deref().unwrap_or_default();
        if custom_id.is_empty() {
            return Err(Denied::Said(StatusCode::BAD_REQUEST, "custom_id must be an unempty string"));
        }
        let found = self.index.config().by_text(Kind::Consumers, "custom_id", custom_id);
        let data: Vec<_> = found.map(|consumer| self.shown(consumer)).into_iter().collect();
        Ok(answer(StatusCode::OK, json!({ "data": data, "next": null })))
    }
}

impl Under<'_> {
    fn path(&self) -> String {
        format!("/{}/{}", collection(self.parent).map_or("", |collection| collection.path), self.written)
    }
}
