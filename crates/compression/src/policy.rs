//! Which responses are compressed, and what else changes in them.

use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Version,
    header::{self, HeaderName},
    response::Parts,
};

use crate::{Coding, Level, MediaRange, accept, media};

/// What the layer was told.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) codings: Vec<Coding>,
    pub(crate) level: Level,
    pub(crate) min_length: u64,
    pub(crate) types: Vec<MediaRange>,
}

/// What a request wants, remembered until its response is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing is to be changed, nor said about it.
    AsItIs,
    /// This client gets no coding, others might.
    Identity,
    /// A body in this coding.
    Coded(Coding),
}

impl Policy {
    pub(crate) fn wish<B>(&self, request: &Request<B>) -> Wish {
        let headers = request.headers();
        let is_plain = request.version() < Version::HTTP_11 || request.method() == Method::HEAD;
        if request.method() == Method::CONNECT || has_no_transform(headers) {
            return Wish::AsItIs;
        }
        match accept::choose(headers, &self.codings) {
            Some(coding) if !is_plain => Wish::Coded(coding),
            _ => Wish::Identity,
        }
    }

    /// The coding of a response whose body has this length, if that is known. Changes the headers that are no longer
    /// true, or that must say that others might get another body; those about the body itself are tower-http's.
    pub(crate) fn decide(&self, wish: Wish, head: &mut Parts, length: Option<u64>) -> Option<Coding> {
        if wish == Wish::AsItIs || !self.is_fit(head, length) {
            return None;
        }
        vary(&mut head.headers);
        match wish {
            Wish::Coded(coding) => {
                weaken(&mut head.headers);
                Some(coding)
            }
            _ => None,
        }
    }

    fn is_fit(&self, head: &Parts, length: Option<u64>) -> bool {
        let headers = &head.headers;
        let length = length.or_else(|| headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok());
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        !is_bodiless(head.status)
            && length.is_none_or(|length| length >= self.min_length)
            && !BOUND_TO_BYTES.iter().any(|name| headers.contains_key(name))
            && content_type.is_some_and(|content_type| media::is_listed(&self.types, content_type))
            && !has_no_transform(headers)
    }
}

/// Responses with these are bound to the very bytes of their body.
const BOUND_TO_BYTES: [HeaderName; 6] = [
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Statuses without a body, or with a part of one.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
        )
}

fn has_no_transform(headers: &HeaderMap) -> bool {
    lists(headers, header::CACHE_CONTROL, "no-transform")
}

/// Whether a list header has this entry, in any case.
fn lists(headers: &HeaderMap, name: HeaderName, entry: &str) -> bool {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|part| part.trim().eq_ignore_ascii_case(entry))
}

fn vary(headers: &mut HeaderMap) {
    if !lists(headers, header::VARY, "accept-encoding") && !lists(headers, header::VARY, "*") {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Two bodies that differ in their bytes must not have the same strong tag.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get_mut(header::ETAG) else { return };
    if !tag.as_bytes().starts_with(b"\"") {
        return;
    }
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        *tag = weak;
    }
}
