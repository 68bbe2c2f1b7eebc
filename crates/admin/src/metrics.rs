//! `GET /metrics`: what Prometheus scrapes.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{Admin, answer::message};

/// All metrics, in the format that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsPage {
    /// The media type.
    pub content_type: &'static str,
    /// The page.
    pub text: String,
}

/// Writing many metrics takes long enough to keep other callers waiting, so it is done elsewhere.
pub(crate) async fn show(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    match tokio::task::spawn_blocking(move || (admin.metrics)(&headers)).await {
        Ok(page) => {
            let content_type = HeaderValue::from_static(page.content_type);
            let vary = HeaderValue::from_static("Accept");
            ([(header::CONTENT_TYPE, content_type), (header::VARY, vary)], page.text).into_response()
        }
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
    }
}
