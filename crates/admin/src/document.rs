//! The document in the body of `POST /config`: JSON, YAML, or a form with a field `config`.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, Multipart, Request,
        multipart::{MultipartError, MultipartRejection},
        rejection::BytesRejection,
    },
    response::Response,
};
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode;
use serde::de::IgnoredAny;
use serde_json::Value;
use towergate_config::Source;

use crate::answer::message;

/// The answer to a body that cannot be read.
pub(crate) type Unreadable = Box<Response>;

fn refused(answer: Response) -> Unreadable {
    Box::new(answer)
}

/// What the body says, as a source with a file name that tells its format.
///
/// # Errors
/// The answer to a body that is too large, of another media type, or not what it says it is.
pub(crate) async fn read(request: Request) -> Result<Source, Unreadable> {
    let media_type = media_type(request.headers());
    if media_type == "multipart/form-data" {
        return multipart(request).await;
    }
    let unread = |refusal: BytesRejection| refused(message(refusal.status(), &refusal.body_text()));
    let body = Bytes::from_request(request, &()).await.map_err(unread)?;
    match media_type.as_str() {
        "" | "application/json" => json(&body),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => text(&body).map(guess),
        "application/x-www-form-urlencoded" => form(&body),
        _ => Err(refused(message(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"))),
    }
}

pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The configuration itself, or an object with its text in the field `config`.
fn json(body: &[u8]) -> Result<Source, Unreadable> {
    let text = text(body)?;
    let value: Value =
        serde_json::from_str(&text).map_err(|_| refused(message(StatusCode::BAD_REQUEST, "Cannot parse JSON body")))?;
    match (value.get("_format_version"), value.get("config")) {
        (Some(_), _) => Ok(Source { name: "config.json".into(), text }),
        (None, Some(Value::String(inner))) => Ok(guess(inner.clone())),
        (None, _) => Err(missing()),
    }
}

async fn multipart(request: Request) -> Result<Source, Unreadable> {
    let broken = |error: MultipartError| refused(message(error.status(), &error.body_text()));
    let no_parts = |refusal: MultipartRejection| refused(message(refusal.status(), &refusal.body_text()));
    let mut parts = Multipart::from_request(request, &()).await.map_err(no_parts)?;
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        if part.name() == Some("config") {
            return part.text().await.map(guess).map_err(broken);
        }
    }
    Err(missing())
}

fn form(body: &[u8]) -> Result<Source, Unreadable> {
    let pairs = body.split(|byte| *byte == b'&');
    let value = pairs.filter_map(|pair| pair.strip_prefix(b"config=")).next().ok_or_else(missing)?;
    let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    text(&percent_decode(&spaced).collect::<Vec<_>>()).map(guess)
}

fn text(body: &[u8]) -> Result<String, Unreadable> {
    let not_text =
        |_| refused(message(StatusCode::BAD_REQUEST, "expected a declarative configuration: the body is not UTF-8"));
    String::from_utf8(body.to_vec()).map_err(not_text)
}

fn missing() -> Unreadable {
    refused(message(StatusCode::BAD_REQUEST, "expected a declarative configuration"))
}

/// Text without a declared format: JSON if it is that, YAML otherwise.
fn guess(text: String) -> Source {
    let is_json = text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&text).is_ok();
    let name = if is_json { "config.json" } else { "config.yaml" };
    Source { name: name.into(), text }
}
