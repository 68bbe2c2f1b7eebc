//! Who or what is counted.

use std::{borrow::Cow, fmt, hash::Hasher, net::IpAddr, sync::Arc};

use http::{HeaderName, request::Parts};
use siphasher::sip128::{Hasher128, SipHasher13};
use towergate_core::Context;
use uuid::Uuid;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier<'a> {
    /// An entity of the configuration.
    Id(Uuid),
    /// An address.
    Address(IpAddr),
    /// Any text.
    Text(Cow<'a, [u8]>),
}

/// Longer texts stand in keys by their hash, so that a client cannot make keys as long as it likes.
const LONGEST_TEXT: usize = 256;

impl Identifier<'_> {
    /// 128 bits that stand for it, which nobody can choose who does not know the key.
    #[inline]
    pub(crate) fn fingerprint(&self, key: &[u8; 16]) -> [u64; 2] {
        let mut hasher = SipHasher13::new_with_key(key);
        match self {
            // Ids are random or worked out by a hash; what tells them apart need not be worked out of every byte.
            Self::Id(id) => return mixed(*id, key),
            Self::Address(IpAddr::V4(address)) => {
                hasher.write_u8(1);
                hasher.write(&address.octets());
            }
            Self::Address(IpAddr::V6(address)) => {
                hasher.write_u8(2);
                hasher.write(&address.octets());
            }
            Self::Text(text) => {
                hasher.write_u8(3);
                hasher.write(text);
            }
        }
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// The same, borrowing nothing.
    pub(crate) fn into_owned(self) -> Identifier<'static> {
        match self {
            Self::Id(id) => Identifier::Id(id),
            Self::Address(address) => Identifier::Address(address),
            Self::Text(text) => Identifier::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// Writes it as part of a key.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "keys are written for redis"))]
    pub(crate) fn write(&self, key: &mut Vec<u8>) {
        match self {
            Self::Id(id) => {
                key.extend_from_slice(id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes())
            }
            Self::Address(address) => key.extend_from_slice(address.to_string().as_bytes()),
            Self::Text(text) if text.len() <= LONGEST_TEXT => key.extend_from_slice(text),
            Self::Text(_) => {
                let [high, low] = self.fingerprint(&[0; 16]);
                key.extend_from_slice(format!("{high:016x}{low:016x}").as_bytes());
            }
        }
    }
}

/// Two products of both halves of an id and of a key that nobody knows: each bit of them depends on all bits.
fn mixed(id: Uuid, key: &[u8; 16]) -> [u64; 2] {
    let (high, low) = id.as_u64_pair();
    let (secret, other) = Uuid::from_bytes(*key).as_u64_pair();
    let product = |a: u64, b: u64| {
        let product = u128::from(a).wrapping_mul(u128::from(b));
        (product >> 64) as u64 ^ product as u64
    };
    [product(high ^ secret, low ^ other), product(high ^ other.rotate_left(32), low ^ secret.rotate_left(32))]
}

/// Where the identifier of a request comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// The consumer, else the credential.
    Consumer,
    /// The credential.
    Credential,
    /// The client's address.
    Address,
    /// The service of the route.
    Service,
    /// The first value of a header.
    Header(HeaderName),
    /// This path, if it is the request's.
    Path(Box<str>),
    /// The group of consumers: this one, else the first that the consumer is in.
    ConsumerGroup(Option<Uuid>),
    /// Several at once.
    Compound(Vec<Source>),
    /// What a function says. Requests of which it says nothing are not limited.
    Function(Arc<Function>),
}

/// Tells the identifier of a request.
pub(crate) type Function = dyn Fn(&Context, &Parts) -> Option<String> + Send + Sync;

impl Source {
    /// The identifier of this request: the client's address if there is no other; `None` if it is
    /// not to be limited.
    pub(crate) fn identify<'a>(&self, cx: &'a Context, head: &'a Parts) -> Option<Identifier<'a>> {
        match self {
            Self::Function(function) => function(cx, head).map(|text| Identifier::Text(Cow::Owned(text.into_bytes()))),
            Self::Compound(sources) => {
                let mut text = Vec::new();
                for source in sources {
                    text.push(b':');
                    source.found(cx, head).unwrap_or_else(|| address(cx, head)).write(&mut text);
                }
                Some(Identifier::Text(Cow::Owned(text)))
            }
            source => Some(source.found(cx, head).unwrap_or_else(|| address(cx, head))),
        }
    }

    /// Whether it may be found in this header.
    pub(crate) fn may_read(&self, name: &HeaderName) -> bool {
        match self {
            Self::Header(header) => header == name,
            Self::Compound(sources) => sources.iter().any(|source| source.may_read(name)),
            Self::Function(_) => true,
            Self::Consumer | Self::Credential | Self::Address | Self::Service | Self::Path(_) => false,
            Self::ConsumerGroup(_) => false,
        }
    }

    fn found<'a>(&self, cx: &'a Context, head: &'a Parts) -> Option<Identifier<'a>> {
        let text = |text: &'a [u8]| Identifier::Text(Cow::Borrowed(text));
        match self {
            Self::Consumer => cx.consumer().map(|consumer| consumer.id).or_else(|| credential(cx)).map(Identifier::Id),
            Self::Credential => credential(cx).map(Identifier::Id),
            Self::Service => cx.service().map(|service| Identifier::Id(service.id)),
            Self::Header(name) => head.headers.get(name).map(|value| text(value.as_bytes())),
            Self::Path(path) => {
                (requested_path(cx, head) == &**path).then(|| text(requested_path(cx, head).as_bytes()))
            }
            Self::ConsumerGroup(own) => own.or_else(|| cx.consumer()?.groups.first().copied()).map(Identifier::Id),
            Self::Address | Self::Compound(_) | Self::Function(_) => None,
        }
    }
}

fn credential(cx: &Context) -> Option<Uuid> {
    cx.credential().map(|credential| credential.id)
}

/// The path the client asked for, normalised where a router has done so.
fn requested_path<'a>(cx: &'a Context, head: &'a Parts) -> &'a str {
    if cx.matched.path.is_empty() { head.uri.path() } else { &cx.matched.path }
}

/// The client's address. Embedded, it is the `SocketAddr` or `IpAddr` among the request's extensions;
/// without one, all such requests count together.
fn address<'a>(cx: &Context, head: &Parts) -> Identifier<'a> {
    let beside = || head.extensions.get::<IpAddr>().copied();
    let peer = || head.extensions.get::<std::net::SocketAddr>().map(std::net::SocketAddr::ip);
    match cx.client.address.or_else(beside).or_else(peer) {
        Some(address) => Identifier::Address(address.to_canonical()),
        None => Identifier::Text(Cow::Borrowed(b"unknown")),
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer => f.write_str("Consumer"),
            Self::Credential => f.write_str("Credential"),
            Self::Address => f.write_str("Address"),
            Self::Service => f.write_str("Service"),
            Self::Header(name) => f.debug_tuple("Header").field(name).finish(),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::ConsumerGroup(group) => f.debug_tuple("ConsumerGroup").field(group).finish(),
            Self::Compound(sources) => f.debug_list().entries(sources).finish(),
            Self::Function(_) => f.write_str("Function"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(identifier: &Identifier<'_>) -> String {
        let mut key = Vec::new();
        identifier.write(&mut key);
        String::from_utf8(key).unwrap()
    }

    #[test]
    fn long_texts_stand_in_keys_by_their_hash() {
        let text = |length: usize| Identifier::Text(Cow::Owned(vec![b'a'; length]));
        assert_eq!(written(&text(256)), "a".repeat(256));
        assert_eq!(written(&text(257)).len(), 32);
        assert_ne!(written(&text(257)), written(&text(258)));
        assert_eq!(written(&Identifier::Address("::1".parse().unwrap())), "::1");
        assert_eq!(written(&Identifier::Id(Uuid::nil())), "00000000-0000-0000-0000-000000000000");
    }

    #[test]
    fn different_kinds_never_meet() {
        let bytes = [7_u8; 16];
        let kinds = [
            Identifier::Id(Uuid::from_bytes(bytes)),
            Identifier::Address(IpAddr::from(bytes)),
            Identifier::Text(Cow::Borrowed(&bytes)),
        ];
        let [a, b, c] = kinds.map(|identifier| identifier.fingerprint(&[1; 16]));
        assert!(a != b && b != c && a != c);
    }
}
