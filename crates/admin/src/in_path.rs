//! The parameters of a path.

use axum::{
    extract::{FromRequestParts, Path},
    response::Response,
};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::answer::not_found;

/// The parameters of a path, decoded. What is not UTF-8 is the name of nobody: 404.
pub(crate) struct InPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(not_found().await),
        }
    }
}
