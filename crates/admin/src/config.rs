//! `/config`: the configuration in force, and its replacement.

use std::sync::Arc;

use axum::{
    extract::{Query, Request, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use towergate_runtime::LoadError;

use crate::{
    Admin, ConfigureError,
    answer::{answer, message},
    document,
};

/// What the query of `POST /config` may ask.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Options {
    check_hash: Option<String>,
    flatten_errors: Option<String>,
}

impl Options {
    fn is_on(flag: Option<&String>) -> bool {
        flag.is_some_and(|value| matches!(value.as_str(), "1" | "true"))
    }
}

const WITH_A_DATABASE: &str = "this endpoint is only available when Kong is configured to not use a database";

pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    if !admin.is_read_only() {
        return message(StatusCode::BAD_REQUEST, WITH_A_DATABASE);
    }
    answer(StatusCode::OK, json!({ "config": admin.control.current().config.to_yaml() }))
}

pub(crate) async fn replace(
    State(admin): State<Arc<Admin>>,
    options: Result<Query<Options>, QueryRejection>,
    request: Request,
) -> Response {
    if !admin.is_read_only() {
        return message(StatusCode::BAD_REQUEST, WITH_A_DATABASE);
    }
    let options = match options {
        Ok(Query(options)) => options,
        Err(refusal) => return message(refusal.status(), &refusal.body_text()),
    };
    let source = match document::read(request).await {
        Ok(source) => source,
        Err(response) => return *response,
    };
    let is_known = || towergate_config::hash([source.text.as_bytes()]) == admin.control.current().config.hash;
    if Options::is_on(options.check_hash.as_ref()) && is_known() {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    match admin.configured.load(vec![source]).await {
        Ok((runtime, warnings)) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            answer(StatusCode::CREATED, runtime.config.entities_json())
        }
        Err(ConfigureError::Invalid(error)) => refusal(&error, Options::is_on(options.flatten_errors.as_ref())),
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
