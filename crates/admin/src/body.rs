//! The fields of an entity in the body of a request: JSON, a form, or a form in parts.

mod form;
mod infer;

use axum::{
    body::Bytes,
    extract::{
        FromRequest, Multipart, Request,
        multipart::{MultipartError, MultipartRejection},
        rejection::BytesRejection,
    },
    response::Response,
};
use http::{StatusCode, header};
use serde_json::{Map, Value};
use towergate_schema::Record;

pub(crate) use form::{argument, is_asked, pairs};

use crate::{
    answer::message,
    document::{Unreadable, media_type},
};

/// The fields a body gives.
pub(crate) struct Body {
    pub(crate) fields: Map<String, Value>,
    /// Whether all its values are texts, and what they mean is for the schema to say.
    is_text: bool,
}

/// What the body says.
///
/// # Errors
/// The answer to a body that is too large, of another media type, or not what it says it is.
pub(crate) async fn read(request: Request) -> Result<Body, Unreadable> {
    let headers = request.headers();
    if headers.get_all(header::CONTENT_TYPE).iter().count() > 1 {
        return Err(refused(StatusCode::BAD_REQUEST, "Multiple Content-Type headers not allowed"));
    }
    let media_type = media_type(headers);
    if media_type == "multipart/form-data" {
        return multipart(request).await;
    }
    let unread = |refusal: BytesRejection| refused(refusal.status(), &refusal.body_text());
    let body = Bytes::from_request(request, &()).await.map_err(unread)?;
    match media_type.as_str() {
        "application/json" => json(&body),
        "application/x-www-form-urlencoded" => Ok(nested(pairs(&body))),
        "" if body.is_empty() => Ok(nested(Vec::new())),
        _ => Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")),
    }
}

impl Body {
    /// The fields, with numbers, switches and lists where the schema has them.
    pub(crate) fn into_fields(mut self, record: &Record) -> Map<String, Value> {
        if self.is_text {
            infer::record(record, &mut self.fields);
        }
        self.fields
    }
}

fn json(body: &[u8]) -> Result<Body, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(Body { fields, is_text: false }),
        // To Kong an empty list is an empty record.
        Ok(Value::Array(items)) if items.is_empty() => Ok(Body { fields: Map::new(), is_text: false }),
        _ => Err(refused(StatusCode::BAD_REQUEST, "Cannot parse JSON body")),
    }
}

async fn multipart(request: Request) -> Result<Body, Unreadable> {
    let broken = |error: MultipartError| refused(error.status(), &error.body_text());
    let no_parts = |refusal: MultipartRejection| refused(refusal.status(), &refusal.body_text());
    let mut parts = Multipart::from_request(request, &()).await.map_err(no_parts)?;
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        if let Some(name) = part.name().map(str::to_owned) {
            pairs.push((name, part.text().await.map_err(broken)?));
        }
    }
    Ok(nested(pairs))
}

fn nested(pairs: Vec<(String, String)>) -> Body {
    Body { fields: form::nested(pairs), is_text: true }
}

fn refused(status: StatusCode, text: &str) -> Unreadable {
    let answer: Response = message(status, text);
    Box::new(answer)
}
