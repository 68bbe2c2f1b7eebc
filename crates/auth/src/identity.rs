//! The headers that tell the upstream who a request is from.
//!
//! Whatever a client sent under these names is gone once a way of authentication has spoken: all
//! lines of a name are replaced or removed, not only the first, and also those of a name that is
//! the same where `_` counts as `-`, as in CGI and all that is modelled on it.

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_core::{Consumer, Context, Credential, SetValue};

const CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const ANONYMOUS: HeaderName = HeaderName::from_static("x-anonymous-consumer");
const X_CONSUMER_GROUPS: &str = "x-consumer-groups";
const X_AUTHENTICATED_GROUPS: &str = "x-authenticated-groups";
const CONSUMER_GROUPS: HeaderName = HeaderName::from_static(X_CONSUMER_GROUPS);
const AUTHENTICATED_GROUPS: HeaderName = HeaderName::from_static(X_AUTHENTICATED_GROUPS);

/// All of them, also those that others write later: nobody but the gateway says who somebody is.
const ALL: [&str; 7] = [
    "x-consumer-id",
    "x-consumer-custom-id",
    "x-consumer-username",
    "x-credential-identifier",
    "x-anonymous-consumer",
    X_CONSUMER_GROUPS,
    X_AUTHENTICATED_GROUPS,
];

/// The request is from this consumer, who proved it with the credential of this identifier.
#[cfg(any(feature = "basic", feature = "hmac", feature = "jwt", test))]
pub(crate) fn write_proven(headers: &mut HeaderMap, consumer: Option<&Consumer>, identifier: &str) {
    clear(headers);
    write_consumer(headers, consumer);
    set(headers, CREDENTIAL_IDENTIFIER, Some(identifier));
}

/// The same by this credential, which the context knows, as it does whose it is: written when the request goes on.
pub(crate) fn tell_proven(cx: &Context, headers: &mut HeaderMap, credential: &Credential) {
    clear(headers);
    cx.change_request_headers(|set| {
        if let Some(consumer) = cx.consumer() {
            set.set(CONSUMER_ID, consumer.id.into());
            if consumer.custom_id.is_some() {
                set.set(CONSUMER_CUSTOM_ID, SetValue::Text(|cx| cx.consumer()?.custom_id.as_deref()));
            }
            if consumer.username.is_some() {
                set.set(CONSUMER_USERNAME, SetValue::Text(|cx| cx.consumer()?.username.as_deref()));
            }
        }
        set.set(CREDENTIAL_IDENTIFIER, credential.id.into());
    });
}

/// Whether a header says who somebody is.
pub(crate) fn is_told_by(name: &HeaderName) -> bool {
    name.as_str().starts_with('x') && is_claim(name.as_str(), &ALL)
}

/// Another system vouches for who the request is from; it calls them by this identifier.
#[cfg(any(feature = "jwks", feature = "mtls"))]
pub(crate) fn write_vouched(headers: &mut HeaderMap, consumer: Option<&Consumer>, identifier: Option<&str>) {
    clear(headers);
    write_consumer(headers, consumer);
    set(headers, CREDENTIAL_IDENTIFIER, identifier);
}

/// The request goes on as this consumer, nothing proven.
pub(crate) fn write_anonymous(headers: &mut HeaderMap, consumer: &Consumer) {
    clear(headers);
    write_consumer(headers, Some(consumer));
    headers.insert(ANONYMOUS, HeaderValue::from_static("true"));
}

/// Whose groups they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// A consumer's: `X-Consumer-Groups`.
    Consumer,
    /// Those another system told: `X-Authenticated-Groups`.
    Authenticated,
}

/// Tells these groups, or none of any kind.
pub(crate) fn write_groups(headers: &mut HeaderMap, membership: Membership, groups: Option<&str>) {
    remove(headers, &[X_CONSUMER_GROUPS, X_AUTHENTICATED_GROUPS]);
    let name = match membership {
        Membership::Consumer => CONSUMER_GROUPS,
        Membership::Authenticated => AUTHENTICATED_GROUPS,
    };
    set(headers, name, groups);
}

/// Nobody has said who the request is from.
pub(crate) fn clear(headers: &mut HeaderMap) {
    remove(headers, &ALL);
}

/// Removes these headers, also where `_` stands for `-`. They are looked through once rather than for
/// each name: most requests claim nothing.
fn remove(headers: &mut HeaderMap, names: &[&str]) {
    // All begin so, and few others.
    let may_be = |name: &HeaderName| name.as_str().starts_with('x');
    let claims: Vec<_> =
        headers.keys().filter(|name| may_be(name) && is_claim(name.as_str(), names)).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

/// Whether a name is one of these, also for those to whom `_` and `-` are the same.
fn is_claim(name: &str, names: &[&str]) -> bool {
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let is_same = |other: &str| other.len() == name.len() && other.bytes().eq(name.bytes().map(dashed));
    names.iter().any(|other| is_same(other))
}

fn write_consumer(headers: &mut HeaderMap, consumer: Option<&Consumer>) {
    let mut digits = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = consumer.map(|consumer| &*consumer.id.hyphenated().encode_lower(&mut digits));
    set(headers, CONSUMER_ID, id);
    set(headers, CONSUMER_CUSTOM_ID, consumer.and_then(|consumer| consumer.custom_id.as_deref()));
    set(headers, CONSUMER_USERNAME, consumer.and_then(|consumer| consumer.username.as_deref()));
}

/// Sets a header. A text that no header can hold (control characters) counts as none.
fn set(headers: &mut HeaderMap, name: HeaderName, text: Option<&str>) {
    if let Some(value) = text.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
        headers.insert(name, value);
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
    fn what_only_looks_different_is_gone_too() {
        let spoofed = || {
            let mut headers = HeaderMap::new();
            for name in ["x_consumer_username", "x-consumer_id", "x_consumer-groups", "x-consumer-groups", "x_other"] {
                headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("spoofed"));
                headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("twice"));
            }
            headers
        };
        let (mut proven, mut anonymous, mut nobody) = (spoofed(), spoofed(), spoofed());
        write_proven(&mut proven, Some(&Consumer::named("alice")), "key");
        write_anonymous(&mut anonymous, &Consumer::named("guest"));
        clear(&mut nobody);
        let names = |headers: &HeaderMap| {
            let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort_unstable();
            names
        };
        let rest = ["x-consumer-id", "x-consumer-username", "x-credential-identifier", "x_other"];
        assert_eq!(names(&proven), rest);
        assert_eq!(names(&anonymous), ["x-anonymous-consumer", "x-consumer-id", "x-consumer-username", "x_other"]);
        assert_eq!(names(&nobody), ["x_other"]);
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
