//! What all answers of the Admin API have in common.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    Admin,
    access::{Access, host_of},
};

/// An answer of this status and JSON.
pub(crate) fn answer(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

/// Done, and nothing to say.
pub(crate) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// `{"message":"…"}` with this status.
pub(crate) fn message(status: StatusCode, message: &str) -> Response {
    answer(status, json!({ "message": message }))
}

pub(crate) async fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "Not found")
}

/// Search engines have no business here.
pub(crate) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /"
}

pub(crate) async fn method_not_allowed() -> Response {
    message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// The methods an endpoint has.
pub(crate) fn options(methods: HeaderValue) -> Response {
    let headers = [
        (header::ALLOW, methods.clone()),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Adds what every answer carries.
pub(crate) async fn stamp(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let page = Page::of(&request);
    let mut response = next.run(request).await;
    let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let headers = response.headers_mut();
    if let Some(content_type) = headers.get_mut(header::CONTENT_TYPE).filter(|value| *value == "application/json") {
        *content_type = HeaderValue::from_static("application/json; charset=utf-8");
    }
    let settings = admin.settings();
    let told = &settings.headers;
    if let (true, Ok(token)) = (told.server, HeaderValue::from_str(&settings.server_token)) {
        headers.insert(header::SERVER, token);
    }
    if told.admin_latency {
        headers.insert(HeaderName::from_static("x-kong-admin-latency"), HeaderValue::from(latency));
    }
    page.permit(&admin.access(), headers);
    response
}

/// The page that made a browser ask, if one did.
struct Page {
    origin: Option<HeaderValue>,
    host: Option<String>,
    /// The headers it wants to send.
    wanted: Option<HeaderValue>,
}

impl Page {
    fn of(request: &Request) -> Self {
        let header = |name| request.headers().get(name).cloned();
        Self {
            origin: header(header::ORIGIN),
            host: host_of(request),
            wanted: header(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| request.method() == Method::OPTIONS),
        }
    }

    /// Tells the browser whether the page may read the answer, and send what it wants to send.
    fn permit(self, access: &Access, headers: &mut HeaderMap) {
        let Some(origin) = self.origin else {
            let first = access.first_origin().and_then(|origin| HeaderValue::from_str(origin).ok());
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, first.unwrap_or(HeaderValue::from_static("*")));
            return;
        };
        headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
        let text = origin.to_str().unwrap_or_default();
        if !access.allows_origin(text, self.host.as_deref()) {
            return;
        }
        if access.names_origin(text) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Some(wanted) = self.wanted {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
        }
    }
}
