//! The headers that tell the upstream who a request is from.
//!
//! Whatever a client sent under these names is gone once a way of authentication has spoken: all
//! lines of a name are replaced or removed, not only the first.

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_core::Consumer;

const CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const ANONYMOUS: HeaderName = HeaderName::from_static("x-anonymous-consumer");

/// The request is from this consumer, who proved it with the credential of this identifier.
pub(crate) fn write_proven(headers: &mut HeaderMap, consumer: Option<&Consumer>, identifier: &str) {
    write_consumer(headers, consumer);
    set(headers, CREDENTIAL_IDENTIFIER, Some(identifier));
    headers.remove(ANONYMOUS);
}

/// The request goes on as this consumer, nothing proven.
pub(crate) fn write_anonymous(headers: &mut HeaderMap, consumer: &Consumer) {
    write_consumer(headers, Some(consumer));
    headers.remove(CREDENTIAL_IDENTIFIER);
    headers.insert(ANONYMOUS, HeaderValue::from_static("true"));
}

/// Nobody has said who the request is from.
pub(crate) fn clear(headers: &mut HeaderMap) {
    for name in [CONSUMER_ID, CONSUMER_CUSTOM_ID, CONSUMER_USERNAME, CREDENTIAL_IDENTIFIER, ANONYMOUS] {
        headers.remove(name);
    }
}

fn write_consumer(headers: &mut HeaderMap, consumer: Option<&Consumer>) {
    let mut digits = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = consumer.map(|consumer| &*consumer.id.hyphenated().encode_lower(&mut digits));
    set(headers, CONSUMER_ID, id);
    set(headers, CONSUMER_CUSTOM_ID, consumer.and_then(|consumer| consumer.custom_id.as_deref()));
    set(headers, CONSUMER_USERNAME, consumer.and_then(|consumer| consumer.username.as_deref()));
}

/// Sets a header or removes it. A text that no header can hold (control characters) counts as none,
/// so that the client's own value never stays.
fn set(headers: &mut HeaderMap, name: HeaderName, text: Option<&str>) {
    match text.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
        Some(value) => _ = headers.insert(name, value),
        None => _ = headers.remove(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = [
        "X-Consumer-ID",
        "X-Consumer-Custom-ID",
        "X-Consumer-Username",
        "X-Credential-Identifier",
        "X-Anonymous-Consumer",
    ];

    /// The headers of a client that claims to be somebody, each line twice.
    fn spoofed() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in NAMES.iter().chain(&NAMES) {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("spoofed"));
        }
        headers
    }

    fn seen(headers: &HeaderMap) -> [Vec<&[u8]>; 5] {
        NAMES.map(|name| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect())
    }

    #[test]
    fn a_proven_identity_replaces_or_removes_every_line() {
        let mut consumer = Consumer::named("älice");
        let id = consumer.id.to_string();
        let (id, name): (&[u8], _) = (id.as_bytes(), "älice".as_bytes());
        let mut headers = spoofed();
        write_proven(&mut headers, Some(&consumer), "cred");
        assert_eq!(seen(&headers), [vec![id], vec![], vec![name], vec![b"cred"], vec![]]);

        consumer.custom_id = Some("7".into());
        consumer.username = Some("in\njected".into());
        let mut headers = spoofed();
        write_proven(&mut headers, Some(&consumer), "cred");
        assert_eq!(seen(&headers), [vec![id], vec![b"7"], vec![], vec![b"cred"], vec![]]);
    }

    #[test]
    fn an_anonymous_identity_says_so() {
        let consumer = Consumer::named("guest");
        let id = consumer.id.to_string();
        let mut headers = spoofed();
        write_anonymous(&mut headers, &consumer);
        assert_eq!(seen(&headers), [vec![id.as_bytes()], vec![], vec![b"guest"], vec![], vec![b"true"]]);
    }

    #[test]
    fn nobody_leaves_none() {
        let mut headers = spoofed();
        clear(&mut headers);
        assert!(headers.is_empty());
    }
}
