//! `POST /explain`: what would become of a request, without sending it.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use http::StatusCode;
use towergate_runtime::ExplainRequest;

use crate::{Admin, answer::message};

/// `POST /explain` alone, for whoever need not show a token: it changes nothing, and tells no secret.
pub fn explain_router(admin: Arc<Admin>) -> Router {
    Router::new().route("/explain", post(explain)).with_state(admin)
}

pub(crate) async fn explain(
    State(admin): State<Arc<Admin>>,
    asked: Result<Json<ExplainRequest>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(refusal) => return message(StatusCode::BAD_REQUEST, &refusal.body_text()),
    };
    // Every route is looked at, which takes long enough to keep other callers waiting.
    let explaining = tokio::task::spawn_blocking(move || {
        let control = &admin.control;
        match control.current().explain(control.registry(), &asked, |upstream| control.health(upstream)) {
            Ok(explanation) => Json(explanation).into_response(),
            Err(why) => message(StatusCode::BAD_REQUEST, &why),
        }
    });
    match explaining.await {
        Ok(response) => response,
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
    }
}
