//! `/tags`: which entity has which tag.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use towergate_config::{Config, Kind, Refusal};

use crate::{
    Admin,
    answer::answer,
    endpoints::{Content, Operation},
    entities::Denied,
    in_path::InPath,
    page::{Asked, Page, escaped},
};

/// What can be done there.
pub(crate) fn operation(summary: &str) -> Operation {
    Operation {
        success: (200, Content::Object),
        refusals: &[400, 404],
        query: &["size", "offset"],
        ..Operation::new(Method::GET, summary)
    }
}

/// `GET /tags`
pub(crate) async fn all(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    listed(&admin, None, request.uri().query()).unwrap_or_else(|refusal| Denied::from(refusal).into_response())
}

/// `GET /tags/{tag}`
pub(crate) async fn one(State(admin): State<Arc<Admin>>, InPath(tag): InPath<String>, request: Request) -> Response {
    listed(&admin, Some(&tag), request.uri().query()).unwrap_or_else(|refusal| Denied::from(refusal).into_response())
}

fn listed(admin: &Admin, tag: Option<&str>, query: Option<&str>) -> Result<Response, Refusal> {
    let asked = Asked::of(query);
    let size = asked.size()?;
    let page = Page::by_position(tagged(&admin.control.current().config, tag), size, &asked);
    let body = match tag {
        Some(tag) => page.body(&format!("/tags/{}", escaped(tag)), None),
        None => page.body("/tags", Some(&Asked { size: asked.size, ..Asked::default() })),
    };
    Ok(answer(StatusCode::OK, body))
}

/// Each tag of each entity, in the order of kinds and ids.
fn tagged(config: &Config, wanted: Option<&str>) -> Vec<Value> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let mut tags: Vec<_> = config
            .iter(kind)
            .flat_map(|entity| entity.tags().iter().map(move |tag| (entity.id(), tag)))
            .filter(|(_, tag)| wanted.is_none_or(|wanted| *tag == wanted))
            .collect();
        tags.sort_unstable();
        let shown = |(id, tag)| json!({ "entity_name": kind.name(), "entity_id": id, "tag": tag });
        found.extend(tags.into_iter().map(shown));
    }
    found
}
