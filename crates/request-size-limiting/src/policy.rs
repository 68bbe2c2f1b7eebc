//! What it does to a request.

use http::{HeaderMap, StatusCode, header, request};
use towergate_core::{BodyLimit, Context, Env, Guard, Plugin, PluginError, Reply, Responding, Verdict};

use crate::config::RequestSizeLimitingConfig;

/// Lets requests pass or not by the size of their body: the policy.
#[derive(Debug, Clone)]
pub struct RequestSizeLimiting {
    pub(crate) max_bytes: u64,
    pub(crate) require_content_length: bool,
}

impl Plugin for RequestSizeLimiting {
    const NAME: &'static str = "request-size-limiting";
    const PRIORITY: i32 = 951;

    type Config = RequestSizeLimitingConfig;

    fn new(config: RequestSizeLimitingConfig, _: &Env) -> Result<Self, PluginError> {
        let size = u64::try_from(config.allowed_payload_size).map_err(|_| {
            PluginError::new("allowed_payload_size", "must not be negative: it would refuse every request")
        })?;
        Ok(Self {
            max_bytes: size.saturating_mul(config.size_unit.bytes()),
            require_content_length: config.require_content_length,
        })
    }
}

impl Guard for RequestSizeLimiting {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, _: &Context, head: &mut request::Parts) -> Verdict {
        let headers = &head.headers;
        match content_length(headers) {
            Some(bytes) if bytes > self.max_bytes => Verdict::Refuse(too_large(headers)),
            Some(_) => Verdict::Pass,
            None if self.require_content_length && !is_chunked(headers) => {
                Verdict::Refuse(Reply::error(StatusCode::LENGTH_REQUIRED, "A valid Content-Length header is required"))
            }
            None => Verdict::PassUpTo(BodyLimit { bytes: self.max_bytes, otherwise: too_large(headers) }),
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_chunked(headers: &HeaderMap) -> bool {
    headers.get(header::TRANSFER_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

/// Who asked whether to go on is told that by another status.
fn too_large(headers: &HeaderMap) -> Reply {
    let asked = headers
        .get(header::EXPECT)
        .is_some_and(|expected| expected.as_bytes().trim_ascii().eq_ignore_ascii_case(b"100-continue"));
    let status = if asked { StatusCode::EXPECTATION_FAILED } else { StatusCode::PAYLOAD_TOO_LARGE };
    Reply::error(status, "Request size limit exceeded")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::config::SizeUnit;

    /// Names and values of headers.
    type Headers<'a> = &'a [(&'a str, &'a str)];

    /// The status of a refusal; 0 for one only if the body turns out too large.
    fn check(policy: &RequestSizeLimiting, headers: Headers<'_>) -> Option<u16> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let cx = Context::of(&mut head);
        match policy.check(&cx, &mut head) {
            Verdict::Pass => None,
            Verdict::Refuse(reply) => Some(reply.status().as_u16()),
            Verdict::PassUpTo(limit) => {
                assert_eq!(limit.bytes, policy.max_bytes);
                Some(0)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_known_beforehand_decides() {
        let (chunked, expect) = (("transfer-encoding", "chunked"), ("expect", " 100-Continue "));
        let policy = |require_content_length| RequestSizeLimiting { max_bytes: 10, require_content_length };
        let length = |bytes| ("content-length", bytes);
        let table: [(Headers<'_>, Option<u16>, Option<u16>); 8] = [
            (&[length("10")], None, None),
            (&[length("11")], Some(413), Some(413)),
            (&[length("11"), expect], Some(417), Some(417)),
            (&[length("10"), expect], None, None),
            (&[], Some(0), Some(411)),
            (&[chunked], Some(0), Some(0)),
            (&[("transfer-encoding", "Chunked")], Some(0), Some(0)),
            (&[length("18446744073709551616")], Some(0), Some(411)),
        ];
        for (headers, freely, strictly) in table {
            assert_eq!(check(&policy(false), headers), freely, "{headers:?}");
            assert_eq!(check(&policy(true), headers), strictly, "{headers:?}");
        }
    }

    #[test]
    fn sizes_have_units() {
        let table = [
            (128, SizeUnit::Megabytes, 134_217_728),
            (2, SizeUnit::Kilobytes, 2048),
            (7, SizeUnit::Bytes, 7),
            (0, SizeUnit::Megabytes, 0),
            (i64::MAX, SizeUnit::Megabytes, u64::MAX),
        ];
        for (allowed_payload_size, size_unit, bytes) in table {
            let config = RequestSizeLimitingConfig { allowed_payload_size, size_unit, ..Default::default() };
            assert_eq!(RequestSizeLimiting::new(config, &Env::default()).unwrap().max_bytes, bytes);
        }
    }
}
