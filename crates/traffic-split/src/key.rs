//! What the requests of one client are kept together by.

use http::{HeaderName, request::Parts};
use towergate_core::Context;
use xxhash_rust::xxh32::xxh32;

/// What a request is kept together with others by, so that one client does not meet two versions in turn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Key {
    /// Nothing: each request is drawn by chance.
    #[default]
    None,
    /// The consumer, else the credential, else the client's address.
    Consumer,
    /// The client's address.
    Ip,
    /// The value of this header, else what [`Key::Consumer`] says.
    Header(HeaderName),
}

impl Key {
    /// In which of so many buckets this request is: always the same one for the same key, on every
    /// gateway. Requests without any key are drawn by chance.
    pub(crate) fn bucket(&self, cx: &Context, head: &Parts, buckets: u32) -> u32 {
        let hash = match self {
            Self::None => None,
            Self::Consumer => consumer(cx).or_else(|| address(cx)),
            Self::Ip => address(cx),
            Self::Header(name) => {
                let value = head.headers.get(name).filter(|value| !value.is_empty());
                value.map(|value| hash(value.as_bytes())).or_else(|| consumer(cx)).or_else(|| address(cx))
            }
        };
        match hash {
            Some(hash) => hash.checked_rem(buckets).unwrap_or(0),
            None => fastrand::u32(..buckets.max(1)),
        }
    }
}

fn consumer(cx: &Context) -> Option<u32> {
    let id = cx.consumer().map(|consumer| consumer.id).or(cx.credential().map(|credential| credential.id))?;
    Some(hash(id.as_bytes()))
}

fn address(cx: &Context) -> Option<u32> {
    match cx.client.address? {
        std::net::IpAddr::V4(address) => Some(hash(&address.octets())),
        std::net::IpAddr::V6(address) => Some(hash(&address.octets())),
    }
}

fn hash(key: &[u8]) -> u32 {
    xxh32(key, 0)
}
