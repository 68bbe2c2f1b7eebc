//! `/config`: the configuration in force, and its replacement.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use towergate_runtime::LoadError;

use crate::{
    Admin, ConfigureError,
    answer::{answer, message},
    body::is_asked,
    document,
};

const WITH_A_DATABASE: &str = "this endpoint is only available when Kong is configured to not use a database";

pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    if !admin.is_read_only() {
        return message(StatusCode::BAD_REQUEST, WITH_A_DATABASE);
    }
    answer(StatusCode::OK, json!({ "config": admin.control.current().config.to_yaml() }))
}

pub(crate) async fn replace(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    if !admin.is_read_only() {
        return message(StatusCode::BAD_REQUEST, WITH_A_DATABASE);
    }
    let query = request.uri().query().map(str::to_owned);
    let is_asked = |flag| is_asked(query.as_deref(), flag);
    let source = match document::read(request).await {
        Ok(source) => source,
        Err(response) => return *response,
    };
    let is_known = || towergate_config::hash([source.text.as_bytes()]) == admin.control.current().config.hash;
    if is_asked("check_hash") && is_known() {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    match admin.configured.load(vec![source]).await {
        Ok((runtime, warnings)) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            answer(StatusCode::CREATED, runtime.config.entities_json())
        }
        Err(ConfigureError::Invalid(error)) => refusal(&error, is_asked("flatten_errors")),
        Err(ConfigureError::Store(error)) => {
            tracing::error!("configuration not kept, the one before stays in force: {error}");
            message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
        }
    }
}

/// Kong's error object for an invalid declarative configuration.
fn refusal(error: &LoadError, flatten: bool) -> Response {
    let mut body = json!({
        "code": 14,
        "name": "invalid declarative configuration",
        "message": error.message(),
        "fields": error.fields(),
    });
    if let (true, Value::Object(body)) = (flatten, &mut body) {
        body.insert("flattened_errors".into(), error.flattened_errors());
    }
    answer(StatusCode::BAD_REQUEST, body)
}
