//! Which headers of its own the gateway adds.

use super::value::list;

/// Headers the gateway adds to responses (setting `headers`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// `Server`, on answers of the gateway itself.
    pub server: bool,
    /// `Via`, on answers of upstreams.
    pub via: bool,
    /// `X-Kong-Proxy-Latency`.
    pub proxy_latency: bool,
    /// `X-Kong-Upstream-Latency`.
    pub upstream_latency: bool,
    /// `X-Kong-Response-Latency`, on answers of the gateway itself.
    pub response_latency: bool,
    /// `X-Kong-Admin-Latency`, on answers of the Admin API.
    pub admin_latency: bool,
    /// `X-Kong-Upstream-Status`.
    pub upstream_status: bool,
    /// `X-Kong-Request-Id`.
    pub request_id: bool,
}

/// Headers the gateway adds to requests to upstreams (setting `headers_upstream`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamHeaders {
    /// `X-Kong-Request-Id`.
    pub request_id: bool,
}

const RESPONSE_WORDS: &str = "off, server_tokens, latency_tokens, server, via, x-kong-proxy-latency, \
     x-kong-upstream-latency, x-kong-response-latency, x-kong-admin-latency, x-kong-upstream-status, x-kong-request-id";

/// Reads `headers`.
pub(super) fn response(text: &str) -> Result<ResponseHeaders, String> {
    let mut chosen = ResponseHeaders::default();
    for entry in list(text) {
        match entry.to_ascii_lowercase().as_str() {
            "off" => return Ok(ResponseHeaders::default()),
            "server_tokens" => (chosen.server, chosen.via) = (true, true),
            "latency_tokens" => {
                (chosen.proxy_latency, chosen.upstream_latency) = (true, true);
                (chosen.response_latency, chosen.admin_latency) = (true, true);
            }
            "server" => chosen.server = true,
            "via" => chosen.via = true,
            "x-kong-proxy-latency" => chosen.proxy_latency = true,
            "x-kong-upstream-latency" => chosen.upstream_latency = true,
            "x-kong-response-latency" => chosen.response_latency = true,
            "x-kong-admin-latency" => chosen.admin_latency = true,
            "x-kong-upstream-status" => chosen.upstream_status = true,
            "x-kong-request-id" => chosen.request_id = true,
            _ => {
                return Err(format!("headers: invalid entry '{entry}' ({RESPONSE_WORDS})"));
            }
        }
    }
    Ok(chosen)
}

/// Reads `headers_upstream`.
pub(super) fn upstream(text: &str) -> Result<UpstreamHeaders, String> {
    let mut chosen = UpstreamHeaders::default();
    for entry in list(text) {
        match entry.to_ascii_lowercase().as_str() {
            "off" => return Ok(UpstreamHeaders::default()),
            "x-kong-request-id" => chosen.request_id = true,
            _ => {
                return Err(format!("headers_upstream: invalid entry '{entry}' (off, x-kong-request-id)"));
            }
        }
    }
    Ok(chosen)
}
