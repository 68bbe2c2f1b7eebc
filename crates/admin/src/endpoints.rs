//! All endpoints in one list: the router is made of it, and so are `/endpoints` and the OpenAPI document.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    handler::Handler,
    response::Response,
    routing::{MethodFilter, MethodRouter, on, options},
};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use towergate_config::Kind;

use crate::{
    Admin,
    answer::{self, answer},
    collections::{Place, collection},
    entities, fixed, groups,
    in_path::InPath,
    others,
};

/// A path and what can be done there.
pub(crate) struct Endpoint {
    pub(crate) path: String,
    pub(crate) operations: Vec<Operation>,
    handlers: MethodRouter<Arc<Admin>>,
}

/// What a method does there.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) summary: String,
    /// What the body of a request holds.
    pub(crate) body: Body,
    /// What an answer that is no refusal has, and its status.
    pub(crate) success: (u16, Content),
    /// Statuses of refusals.
    pub(crate) refusals: &'static [u16],
    /// Names of the arguments of the query.
    pub(crate) query: &'static [&'static str],
}

/// What the body of a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Nothing,
    /// Any JSON object.
    Object,
    /// A whole entity of a place.
    Entity(Place),
    /// Some of its fields.
    Change(Place),
    /// A declarative configuration.
    Configuration,
}

/// What an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    Object,
    Message,
    Text,
    Entity(Place),
    Page(Place),
}

impl Endpoint {
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), operations: Vec::new(), handlers: MethodRouter::new() }
    }

    /// Adds what is answered to a method.
    pub(crate) fn on<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Arc<Admin>>,
        T: 'static,
    {
        if let Ok(filter) = MethodFilter::try_from(operation.method.clone()) {
            self.handlers = self.handlers.merge(on(filter, handler));
        }
        self.operations.push(operation);
        self
    }

    /// The methods, sorted, with those that every endpoint has.
    fn methods(&self) -> String {
        let has_get = self.operations.iter().any(|operation| operation.method == Method::GET);
        let own = self.operations.iter().map(|operation| operation.method.as_str());
        let mut methods: Vec<_> = own.chain(["OPTIONS"]).chain(has_get.then_some("HEAD")).collect();
        methods.sort_unstable();
        methods.join(", ")
    }
}

impl Operation {
    pub(crate) fn new(method: Method, summary: impl Into<String>) -> Self {
        Self {
            method,
            summary: summary.into(),
            body: Body::Nothing,
            success: (204, Content::Nothing),
            refusals: &[],
            query: &[],
        }
    }

    pub(crate) fn takes(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub(crate) fn answers(self, status: u16, content: Content) -> Self {
        Self { success: (status, content), ..self }
    }

    pub(crate) fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }

    pub(crate) fn asks(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }
}

/// The router of these endpoints. A slash at the end of a path does not matter.
pub(crate) fn routed(endpoints: Vec<Endpoint>) -> Router<Arc<Admin>> {
    let mut router = Router::new();
    for endpoint in endpoints {
        let methods = HeaderValue::from_str(&endpoint.methods()).unwrap_or(HeaderValue::from_static("OPTIONS"));
        let handlers = endpoint.handlers.merge(options(move || async move { answer::options(methods) }));
        if endpoint.path != "/" {
            router = router.route(&format!("{}/", endpoint.path), handlers.clone());
        }
        router = router.route(&endpoint.path, handlers);
    }
    router
}

/// All endpoints.
pub(crate) fn all() -> Vec<Endpoint> {
    let mut all = fixed::endpoints();
    all.extend(groups::endpoints());
    all.extend(others::endpoints());
    all.extend(Place::all().into_iter().map(entity));
    all
}

/// `GET /endpoints`: the paths, each segment sorted for itself.
pub(crate) async fn list() -> Response {
    let mut paths: Vec<_> = all().into_iter().map(|endpoint| endpoint.path).collect();
    paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    answer(StatusCode::OK, json!({ "data": paths }))
}

pub(crate) async fn serve(
    place: Place,
    State(admin): State<Arc<Admin>>,
    names: Result<InPath<Vec<String>>, Response>,
    request: Request,
) -> Response {
    match names {
        Ok(InPath(names)) => entities::serve(admin, place, names, request).await,
        Err(_) if matches!(place, Place::All(_)) => entities::serve(admin, place, Vec::new(), request).await,
        Err(refusal) => refusal,
    }
}

/// The endpoint of a place.
fn entity(place: Place) -> Endpoint {
    let mut endpoint = Endpoint::new(place.path());
    for operation in operations(place) {
        endpoint = endpoint.on(operation, move |state, names, request| serve(place, state, names, request));
    }
    endpoint
}

fn operations(place: Place) -> Vec<Operation> {
    let named = |kind| collection(kind).map_or("entity", |collection| collection.one);
    let one = named(place.kind());
    let of = match place {
        Place::All(_) | Place::One(_) => String::new(),
        Place::Children { parent, .. } | Place::Child { parent, .. } => format!(" of a {}", named(parent)),
        Place::Linked { kind, .. } => format!(" of a {}", named(kind)),
    };
    let operation = |method: Method, verb: &str| Operation::new(method, format!("{verb} a {one}{of}"));
    if place.is_list() {
        let query: &[&str] = match place {
            Place::All(Kind::Consumers) => &["size", "offset", "tags", "custom_id"],
            Place::All(_) => &["size", "offset", "tags"],
            _ => &["size", "offset"],
        };
        return vec![
            Operation::new(Method::GET, format!("List: each {one}{of}"))
                .answers(200, Content::Page(place))
                .refuses(&[400, 404])
                .asks(query),
            operation(Method::POST, "Add")
                .takes(Body::Entity(place))
                .answers(201, Content::Entity(place))
                .refuses(&[400, 404, 405, 409, 413, 415, 503]),
        ];
    }
    vec![
        operation(Method::GET, "Show").answers(200, Content::Entity(place)).refuses(&[400, 404]),
        operation(Method::PUT, "Replace or add")
            .takes(Body::Entity(place))
            .answers(200, Content::Entity(place))
            .refuses(&[400, 404, 405, 409, 413, 415, 503]),
        operation(Method::PATCH, "Change")
            .takes(Body::Change(place))
            .answers(200, Content::Entity(place))
            .refuses(&[400, 404, 405, 409, 413, 415, 503]),
        operation(Method::DELETE, "Delete").refuses(&[400, 404, 405, 503]),
    ]
}
