//! What is kept of a request and its response for logs.

use std::sync::OnceLock;

use http::{HeaderMap, StatusCode};

use crate::tries::Tries;

/// What is kept of a request and its response for those who tell about them when they are over.
///
/// Keeping costs a little, so it is only done if somebody [asks](Self::ask) before the request goes on.
/// Of each thing the first counts.
#[derive(Debug, Default)]
pub struct Records {
    kept: OnceLock<Box<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    request: OnceLock<HeaderMap>,
    response: OnceLock<(StatusCode, HeaderMap)>,
    tries: OnceLock<Tries>,
}

impl Records {
    /// Asks that what comes now is kept.
    pub fn ask(&self) {
        self.kept.get_or_init(Box::default);
    }

    /// Whether somebody wants to know.
    pub fn is_asked(&self) -> bool {
        self.kept.get().is_some()
    }

    /// Keeps the headers of the request as all guards left them.
    pub fn keep_request(&self, headers: &HeaderMap) {
        if let Some(kept) = self.kept.get() {
            kept.request.get_or_init(|| headers.clone());
        }
    }

    /// Keeps the head of the response as the client reads it.
    pub fn keep_response(&self, status: StatusCode, headers: &HeaderMap) {
        if let Some(kept) = self.kept.get() {
            kept.response.get_or_init(|| (status, headers.clone()));
        }
    }

    /// Keeps what became of the attempts at reaching the upstream.
    pub fn keep_tries(&self, tries: Tries) {
        if let Some(kept) = self.kept.get() {
            let _ = kept.tries.set(tries);
        }
    }

    /// The headers of the request; `None` if nobody has asked, and for one that was refused
    /// ([`Context::request_headers`](crate::Context::request_headers) knows those, too).
    pub fn request_headers(&self) -> Option<&HeaderMap> {
        self.kept.get()?.request.get()
    }

    /// The head of the response.
    pub fn response(&self) -> Option<(StatusCode, &HeaderMap)> {
        self.kept.get()?.response.get().map(|(status, headers)| (*status, headers))
    }

    /// The attempts at reaching the upstream; `None` if it never came so far.
    pub fn tries(&self) -> Option<&Tries> {
        self.kept.get()?.tries.get()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let records = Records::default();
        let headers: HeaderMap = [(header::HOST, HeaderValue::from_static("a"))].into_iter().collect();
        records.keep_request(&headers);
        assert!(!records.is_asked() && records.request_headers().is_none());
        records.ask();
        records.keep_request(&headers);
        records.keep_request(&HeaderMap::new());
        records.keep_response(StatusCode::CREATED, &headers);
        assert_eq!(records.request_headers(), Some(&headers), "the first counts");
        assert_eq!(records.response(), Some((StatusCode::CREATED, &headers)));
        assert_eq!(records.tries(), None);
    }
}
