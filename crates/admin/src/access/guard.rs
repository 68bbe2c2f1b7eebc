//! Lets through what may be done.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, Method, StatusCode, header};
use towergate_config::settings::AdminRole;

use super::{Access, Caller, Denied, Peer, browser::host_of, is_write};
use crate::{Admin, answer::message};

/// Answers who may not do what they want; the response of others tells who they are ([`Caller`], in its
/// extensions).
pub(crate) async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let access = admin.access();
    match judge(&access, &request) {
        Ok(caller) => {
            let mut response = next.run(request).await;
            response.extensions_mut().insert(caller);
            response
        }
        Err(denied) => refusal(&request, denied),
    }
}

/// The same for the Status API, where nobody is asked who they are: no page may make a browser change
/// anything.
pub(crate) async fn guard_pages(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let host = host_of(&request);
    let changes = is_write(request.method(), request.uri().path());
    let judged = if changes { admin.access().check_page(request.headers(), host.as_deref()) } else { Ok(()) };
    match judged {
        Ok(()) => next.run(request).await,
        Err(denied) => refusal(&request, denied),
    }
}

fn judge(access: &Access, request: &Request) -> Result<Caller, Denied> {
    let (headers, peer) = (request.headers(), request.extensions().get::<Peer>());
    let host = host_of(request);
    access.check_host(host.as_deref(), peer)?;
    let path = request.uri().path();
    // A browser asks for permission before it shows anything; there is nothing to learn from the answer.
    if request.method() == Method::OPTIONS || path == "/robots.txt" {
        return Ok(Caller { name: None, by: "nobody is asked", role: AdminRole::ReadOnly });
    }
    let caller = access.identify(headers, peer)?;
    if !is_write(request.method(), path) {
        return Ok(caller);
    }
    if caller.role != AdminRole::Admin {
        return Err(Denied::Forbidden(caller));
    }
    // A token is shown on purpose; all else a browser shows for whatever page it is on.
    if caller.by != "token" {
        access.check_page(headers, host.as_deref())?;
    }
    Ok(caller)
}

fn refusal(request: &Request, denied: Denied) -> Response {
    match denied {
        Denied::Unknown => {
            let mut response = message(StatusCode::UNAUTHORIZED, "Unauthorized");
            let challenge = HeaderValue::from_static("Bearer realm=\"admin\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        Denied::Forbidden(caller) => {
            let name = caller.name.as_deref().unwrap_or_default();
            // Kong Enterprise's words.
            let text = format!("{name}, you do not have permissions to {} this resource", verb(request.method()));
            let mut response = message(StatusCode::FORBIDDEN, &text);
            response.extensions_mut().insert(caller);
            response
        }
        Denied::ForeignPage => {
            let why = "this page may not use the Admin API: admin_gui_url says which may";
            message(StatusCode::FORBIDDEN, why)
        }
        Denied::ForeignHost(name) => {
            let why = format!("the Admin API is not called '{name}': admin_allowed_hosts says what else it is called");
            message(StatusCode::FORBIDDEN, &why)
        }
    }
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::DELETE => "delete",
        _ => "update",
    }
}
