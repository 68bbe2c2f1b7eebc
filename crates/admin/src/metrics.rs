//! `GET /metrics`: what Prometheus scrapes.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{Admin, answer::message};

/// As Kong says it.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");

/// Writing many metrics takes long enough to keep other callers waiting, so it is done elsewhere.
pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    match tokio::task::spawn_blocking(move || (admin.metrics)()).await {
        Ok(page) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response(),
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
    }
}
