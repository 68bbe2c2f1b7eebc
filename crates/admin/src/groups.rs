//! Who is in which group of consumers, as Kong Enterprise has it.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use towergate_config::{Edit, Index, Kind, Named, Refusal, entities::Entity};
use towergate_schema::Problem;
use uuid::Uuid;

use crate::{
    Admin,
    answer::{answer, nothing},
    body,
    endpoints::{Body, Content, Endpoint, Operation},
    entities::Denied,
    in_path::InPath,
    page::{Asked, Page},
};

/// From which side a membership is seen.
#[derive(Clone, Copy, Debug)]
struct Side {
    /// Whose path it is.
    own: Kind,
    /// Who is listed.
    other: Kind,
    /// The field of a body that names them.
    field: &'static str,
}

const OF_GROUP: Side = Side { own: Kind::ConsumerGroups, other: Kind::Consumers, field: "consumer" };
const OF_CONSUMER: Side = Side { own: Kind::Consumers, other: Kind::ConsumerGroups, field: "group" };

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let sides = [OF_GROUP, OF_CONSUMER].into_iter();
    sides.flat_map(|side| [all(side), one(side)]).collect()
}

fn all(side: Side) -> Endpoint {
    let path = format!("/{0}/{{{0}}}/{1}", side.own.name(), side.other.name());
    let operation = |method: Method, verb: &str| {
        Operation::new(method, format!("{verb} memberships of a {}", side.own.singular()))
            .refuses(&[400, 404, 405, 503])
    };
    let list = operation(Method::GET, "List the").answers(200, Content::Object).asks(&["size", "offset"]);
    let add = operation(Method::POST, "Add to the")
        .takes(Body::Object)
        .answers(201, Content::Object)
        .refuses(&[400, 404, 405, 409, 413, 415, 503]);
    Endpoint::new(path)
        .on(list, move |State(admin): State<Arc<Admin>>, InPath(name): InPath<String>, request: Request| async move {
            answered(listed(&admin, side, &name, request.uri().query()))
        })
        .on(add, move |State(admin): State<Arc<Admin>>, InPath(name): InPath<String>, request: Request| async move {
            answered(added(admin, side, name, request).await)
        })
        .on(operation(Method::DELETE, "End all"), move |State(admin), InPath(name): InPath<String>| async move {
            answered(ended(admin, side, name, None).await)
        })
}

fn one(side: Side) -> Endpoint {
    let path = format!("/{0}/{{{0}}}/{1}/{{{1}}}", side.own.name(), side.other.name());
    let operation = |method: Method, verb: &str| {
        Operation::new(method, format!("{verb} a membership of a {}", side.own.singular()))
            .refuses(&[400, 404, 405, 503])
    };
    Endpoint::new(path)
        .on(
            operation(Method::GET, "Show").answers(200, Content::Object),
            move |State(admin): State<Arc<Admin>>, InPath((own, other)): InPath<(String, String)>| async move {
                answered(shown(&admin, side, &own, &other))
            },
        )
        .on(
            operation(Method::DELETE, "End"),
            move |State(admin), InPath((own, other)): InPath<(String, String)>| async move {
                answered(ended(admin, side, own, Some(other)).await)
            },
        )
}

fn answered(outcome: Result<Response, Denied>) -> Response {
    outcome.unwrap_or_else(IntoResponse::into_response)
}

impl Side {
    fn find<'a>(self, index: &'a Index, name: &str) -> Result<&'a dyn Entity, Denied> {
        index.find(self.own, &Named::new(name)).ok_or(Denied::NOT_FOUND)
    }

    /// The field of a membership that names an entity of this kind.
    fn link(kind: Kind) -> &'static str {
        if kind == Kind::Consumers { "consumer" } else { "consumer_group" }
    }

    /// The memberships of one, each as its id and the id of the other.
    fn members(self, config: &towergate_config::Config, own: Uuid) -> Vec<(Uuid, Uuid)> {
        let memberships = config.iter(Kind::ConsumerGroupConsumers);
        let of_own = memberships.filter(|membership| membership.link(Self::link(self.own)) == Some(own));
        of_own.filter_map(|membership| Some((membership.id(), membership.link(Self::link(self.other))?))).collect()
    }
}

fn listed(admin: &Admin, side: Side, name: &str, query: Option<&str>) -> Result<Response, Denied> {
    let index = admin.configured.index();
    let own = side.find(&index, name)?.id();
    let asked = Asked::of(query);
    let size = asked.size()?;
    let mut others: Vec<_> = side.members(index.config(), own).into_iter().map(|(_, other)| other).collect();
    others.sort_unstable();
    let found = others.into_iter().filter_map(|id| index.find(side.other, &Named::Id(id))).map(Entity::to_json);
    let path = format!("/{}/{name}/{}", side.own.name(), side.other.name());
    Ok(answer(StatusCode::OK, Page::by_position(found.collect(), size, &asked).body(&path, None)))
}

fn shown(admin: &Admin, side: Side, own: &str, other: &str) -> Result<Response, Denied> {
    let index = admin.configured.index();
    let own = side.find(&index, own)?.id();
    let other = index.find(side.other, &Named::new(other)).ok_or(Denied::NOT_FOUND)?;
    let is_member = side.members(index.config(), own).iter().any(|(_, id)| *id == other.id());
    let name = Side::link(side.other);
    if is_member { Ok(answer(StatusCode::OK, json!({ name: other.to_json() }))) } else { Err(Denied::NOT_FOUND) }
}

/// The names that a body gives: one, or a list.
fn names(fields: &Map<String, Value>, field: &str) -> Result<Vec<String>, Denied> {
    let wrong = |text| Denied::from(Refusal::schema_violation(&[Problem::field(field, text)]));
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong("expected a string"));
    match fields.get(field) {
        None | Some(Value::Null) => Err(wrong("required field missing")),
        Some(Value::Array(names)) => names.iter().map(text).collect(),
        Some(name) => Ok(vec![text(name)?]),
    }
}

async fn added(admin: Arc<Admin>, side: Side, own: String, request: Request) -> Result<Response, Denied> {
    let names = names(&body::read(request).await?.fields, side.field)?;
    let body = admin.change(move |edit, _| {
        let owner = present(edit, side.own, &own)?;
        let (owner_id, owner) = (owner.id(), owner.to_json());
        let mut others = Vec::new();
        for name in &names {
            let other = present(edit, side.other, name)?;
            others.push(other.to_json());
            let links = [(side.own, owner_id), (side.other, other.id())];
            let membership = links.map(|(kind, id)| (Side::link(kind).to_owned(), json!({ "id": id })));
            edit.insert(Kind::ConsumerGroupConsumers, Map::from_iter(membership))?;
        }
        let name = Side::link(side.own);
        Ok(json!({ name: owner, side.other.name(): others }))
    });
    Ok(answer(StatusCode::CREATED, body.await?))
}

async fn ended(admin: Arc<Admin>, side: Side, own: String, other: Option<String>) -> Result<Response, Denied> {
    let ending = admin.change(move |edit, _| {
        let owner = present(edit, side.own, &own)?.id();
        let other = other.as_ref().map(|other| present(edit, side.other, other).map(Entity::id)).transpose()?;
        for (membership, id) in side.members(edit.config(), owner) {
            if other.is_none_or(|other| other == id) {
                edit.delete(Kind::ConsumerGroupConsumers, &Named::Id(membership))?;
            }
        }
        Ok(())
    });
    ending.await?;
    Ok(nothing())
}

fn present<'a>(edit: &'a Edit<'_>, kind: Kind, name: &str) -> Result<&'a dyn Entity, Denied> {
    edit.find(kind, &Named::new(name))?.ok_or(Denied::NOT_FOUND)
}
