//! Header names that are seen all the time: told apart as constants instead of letter by letter.

use http::{HeaderName, header};

/// How a name is usually written; `None` where that is just `Title-Case`.
pub(crate) fn usual(name: &HeaderName) -> Option<&'static str> {
    standard(name).or_else(|| custom(name.as_str()))
}

macro_rules! standard {
    ($($constant:ident $written:literal)+) => {
        /// The names that `http` has constants for.
        fn standard(name: &HeaderName) -> Option<&'static str> {
            Some(match *name {
                $(header::$constant => $written,)+
                _ => return None,
            })
        }

        #[cfg(test)]
        fn all_standard() -> Vec<(HeaderName, &'static str)> {
            vec![$((header::$constant, $written)),+]
        }
    };
}

standard! {
    ACCEPT "Accept"
    ACCEPT_CHARSET "Accept-Charset"
    ACCEPT_ENCODING "Accept-Encoding"
    ACCEPT_LANGUAGE "Accept-Language"
    ACCEPT_RANGES "Accept-Ranges"
    ACCESS_CONTROL_ALLOW_CREDENTIALS "Access-Control-Allow-Credentials"
    ACCESS_CONTROL_ALLOW_HEADERS "Access-Control-Allow-Headers"
    ACCESS_CONTROL_ALLOW_METHODS "Access-Control-Allow-Methods"
    ACCESS_CONTROL_ALLOW_ORIGIN "Access-Control-Allow-Origin"
    ACCESS_CONTROL_EXPOSE_HEADERS "Access-Control-Expose-Headers"
    ACCESS_CONTROL_MAX_AGE "Access-Control-Max-Age"
    ACCESS_CONTROL_REQUEST_HEADERS "Access-Control-Request-Headers"
    ACCESS_CONTROL_REQUEST_METHOD "Access-Control-Request-Method"
    AGE "Age"
    ALLOW "Allow"
    ALT_SVC "Alt-Svc"
    AUTHORIZATION "Authorization"
    CACHE_CONTROL "Cache-Control"
    CACHE_STATUS "Cache-Status"
    CDN_CACHE_CONTROL "Cdn-Cache-Control"
    CONNECTION "Connection"
    CONTENT_DISPOSITION "Content-Disposition"
    CONTENT_ENCODING "Content-Encoding"
    CONTENT_LANGUAGE "Content-Language"
    CONTENT_LENGTH "Content-Length"
    CONTENT_LOCATION "Content-Location"
    CONTENT_RANGE "Content-Range"
    CONTENT_SECURITY_POLICY "Content-Security-Policy"
    CONTENT_SECURITY_POLICY_REPORT_ONLY "Content-Security-Policy-Report-Only"
    CONTENT_TYPE "Content-Type"
    COOKIE "Cookie"
    DATE "Date"
    DNT "DNT"
    ETAG "ETag"
    EXPECT "Expect"
    EXPIRES "Expires"
    FORWARDED "Forwarded"
    FROM "From"
    HOST "Host"
    IF_MATCH "If-Match"
    IF_MODIFIED_SINCE "If-Modified-Since"
    IF_NONE_MATCH "If-None-Match"
    IF_RANGE "If-Range"
    IF_UNMODIFIED_SINCE "If-Unmodified-Since"
    LAST_MODIFIED "Last-Modified"
    LINK "Link"
    LOCATION "Location"
    MAX_FORWARDS "Max-Forwards"
    ORIGIN "Origin"
    PRAGMA "Pragma"
    PROXY_AUTHENTICATE "Proxy-Authenticate"
    PROXY_AUTHORIZATION "Proxy-Authorization"
    RANGE "Range"
    REFERER "Referer"
    REFERRER_POLICY "Referrer-Policy"
    REFRESH "Refresh"
    RETRY_AFTER "Retry-After"
    SEC_WEBSOCKET_ACCEPT "Sec-WebSocket-Accept"
    SEC_WEBSOCKET_EXTENSIONS "Sec-WebSocket-Extensions"
    SEC_WEBSOCKET_KEY "Sec-WebSocket-Key"
    SEC_WEBSOCKET_PROTOCOL "Sec-WebSocket-Protocol"
    SEC_WEBSOCKET_VERSION "Sec-WebSocket-Version"
    SERVER "Server"
    SET_COOKIE "Set-Cookie"
    STRICT_TRANSPORT_SECURITY "Strict-Transport-Security"
    TE "TE"
    TRAILER "Trailer"
    TRANSFER_ENCODING "Transfer-Encoding"
    UPGRADE "Upgrade"
    UPGRADE_INSECURE_REQUESTS "Upgrade-Insecure-Requests"
    USER_AGENT "User-Agent"
    VARY "Vary"
    VIA "Via"
    WARNING "Warning"
    WWW_AUTHENTICATE "WWW-Authenticate"
    X_CONTENT_TYPE_OPTIONS "X-Content-Type-Options"
    X_DNS_PREFETCH_CONTROL "X-DNS-Prefetch-Control"
    X_FRAME_OPTIONS "X-Frame-Options"
    X_XSS_PROTECTION "X-XSS-Protection"
}

macro_rules! custom {
    ($($length:literal: $($name:literal $written:literal),+;)+) => {
        /// Other names, by their length first, so that any name is compared with a few at most.
        fn custom(name: &str) -> Option<&'static str> {
            match name.len() {
                $($($length if name == $name => Some($written),)+)+
                _ => None,
            }
        }

        #[cfg(test)]
        const CUSTOM: &[(&str, &str)] = &[$($(($name, $written)),+),+];
    };
}

custom! {
    3: "nel" "NEL", "p3p" "P3P";
    // Kong's name for keys, by default, as everybody writes it.
    6: "apikey" "apikey";
    9: "x-real-ip" "X-Real-IP", "x-api-key" "X-API-Key";
    10: "keep-alive" "Keep-Alive", "content-id" "Content-ID", "soapaction" "SOAPAction";
    11: "content-md5" "Content-MD5";
    12: "x-request-id" "X-Request-ID", "x-webkit-csp" "X-WebKit-CSP";
    13: "x-consumer-id" "X-Consumer-ID";
    15: "x-forwarded-for" "X-Forwarded-For", "ratelimit-limit" "RateLimit-Limit", "ratelimit-reset" "RateLimit-Reset",
        "x-ua-compatible" "X-UA-Compatible", "kong-request-id" "Kong-Request-ID";
    16: "x-correlation-id" "X-Correlation-ID", "x-forwarded-host" "X-Forwarded-Host", "x-forwarded-port" "X-Forwarded-Port",
        "x-forwarded-path" "X-Forwarded-Path";
    17: "x-kong-request-id" "X-Kong-Request-Id", "x-forwarded-proto" "X-Forwarded-Proto";
    18: "x-forwarded-prefix" "X-Forwarded-Prefix";
    19: "x-consumer-username" "X-Consumer-Username", "ratelimit-remaining" "RateLimit-Remaining";
    20: "x-kong-proxy-latency" "X-Kong-Proxy-Latency", "x-consumer-custom-id" "X-Consumer-Custom-ID";
    22: "x-ratelimit-limit-hour" "X-RateLimit-Limit-Hour";
    23: "x-credential-identifier" "X-Credential-Identifier", "x-kong-upstream-latency" "X-Kong-Upstream-Latency",
        "x-kong-admin-request-id" "X-Kong-Admin-Request-ID";
    24: "x-ratelimit-limit-minute" "X-RateLimit-Limit-Minute", "x-ratelimit-limit-second" "X-RateLimit-Limit-Second";
    26: "x-ratelimit-remaining-hour" "X-RateLimit-Remaining-Hour";
    28: "x-ratelimit-remaining-minute" "X-RateLimit-Remaining-Minute",
        "x-ratelimit-remaining-second" "X-RateLimit-Remaining-Second";
}

macro_rules! read {
    ($($length:literal: $($written:literal $name:expr),+;)+) => {
        /// The name that was written so, if it is one that comes all the time and in its usual spelling.
        pub(crate) fn known(written: &[u8]) -> Option<HeaderName> {
            match written.len() {
                $($($length if written == $written => Some($name),)+)+
                _ => None,
            }
        }

        #[cfg(test)]
        fn all_known() -> Vec<(&'static [u8], HeaderName)> {
            vec![$($(($written.as_slice(), $name)),+),+]
        }
    };
}

read! {
    2: b"TE" header::TE;
    3: b"Via" header::VIA, b"Age" header::AGE;
    4: b"Host" header::HOST, b"Date" header::DATE, b"Vary" header::VARY, b"ETag" header::ETAG;
    5: b"Range" header::RANGE;
    6: b"Accept" header::ACCEPT, b"Server" header::SERVER, b"Cookie" header::COOKIE, b"Origin" header::ORIGIN,
        b"apikey" HeaderName::from_static("apikey"), b"Expect" header::EXPECT, b"Pragma" header::PRAGMA;
    7: b"Referer" header::REFERER, b"Upgrade" header::UPGRADE, b"Expires" header::EXPIRES;
    8: b"Location" header::LOCATION;
    10: b"Connection" header::CONNECTION, b"User-Agent" header::USER_AGENT, b"Set-Cookie" header::SET_COOKIE,
        b"Keep-Alive" HeaderName::from_static("keep-alive");
    12: b"Content-Type" header::CONTENT_TYPE, b"X-Request-ID" HeaderName::from_static("x-request-id");
    13: b"Cache-Control" header::CACHE_CONTROL, b"Authorization" header::AUTHORIZATION,
        b"Last-Modified" header::LAST_MODIFIED, b"Accept-Ranges" header::ACCEPT_RANGES,
        b"If-None-Match" header::IF_NONE_MATCH;
    14: b"Content-Length" header::CONTENT_LENGTH;
    15: b"Accept-Encoding" header::ACCEPT_ENCODING, b"Accept-Language" header::ACCEPT_LANGUAGE,
        b"X-Forwarded-For" HeaderName::from_static("x-forwarded-for"), b"X-Frame-Options" header::X_FRAME_OPTIONS;
    16: b"Content-Encoding" header::CONTENT_ENCODING;
    17: b"Transfer-Encoding" header::TRANSFER_ENCODING, b"If-Modified-Since" header::IF_MODIFIED_SINCE,
        b"X-Forwarded-Proto" HeaderName::from_static("x-forwarded-proto");
    19: b"Content-Disposition" header::CONTENT_DISPOSITION;
    22: b"X-Content-Type-Options" header::X_CONTENT_TYPE_OPTIONS;
    25: b"Strict-Transport-Security" header::STRICT_TRANSPORT_SECURITY,
        b"Upgrade-Insecure-Requests" header::UPGRADE_INSECURE_REQUESTS;
    27: b"Access-Control-Allow-Origin" header::ACCESS_CONTROL_ALLOW_ORIGIN;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_as_what_it_is() {
        let custom = CUSTOM.iter().map(|(name, written)| (HeaderName::from_static(name), *written));
        for (name, written) in all_standard().into_iter().chain(custom) {
            assert_eq!(usual(&name), Some(written));
            assert_eq!(written.parse::<HeaderName>().unwrap(), name);
        }
        for (written, name) in all_known() {
            assert_eq!(known(written).as_ref(), Some(&name));
            assert_eq!(HeaderName::from_bytes(written).unwrap(), name);
            assert_eq!(usual(&name).unwrap().as_bytes(), written, "it need not be remembered how it was written");
        }
    }
}
