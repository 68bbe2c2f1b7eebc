//! What the upstream is told about a client's connection, which is the same for all of its requests.

use std::{cell::RefCell, net::IpAddr};

use towergate_core::{Client, Scheme};
use towergate_http1::client::Lines;

use crate::{
    forward::{Own, X_FORWARDED_FOR, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REAL_IP},
    text::Text,
};

thread_local! {
    static LATEST: RefCell<Option<ClientLines>> = const { RefCell::new(None) };
}

/// The lines about one client's connection, written out.
pub(crate) struct ClientLines {
    of: Of,
    /// `X-Real-IP`, `X-Forwarded-For` and `X-Forwarded-Proto`.
    pub(crate) addresses: Lines,
    /// `X-Forwarded-Port`.
    pub(crate) port: Lines,
}

/// All that the lines depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Of {
    address: IpAddr,
    scheme: Scheme,
    port: Option<u16>,
}

/// Does something with the lines about this client: those of the request before, if they say the same, as they do for
/// requests of one connection and for all that come from one address. Nothing is done if somebody else has a say in them
/// (a trusted peer), or nothing is known.
pub(crate) fn with<R>(client: &Client, use_them: impl FnOnce(&ClientLines) -> R) -> Option<R> {
    let address = client.address.or(client.peer.map(|peer| peer.ip())).filter(|_| !client.trusted)?;
    let of = Of { address, scheme: client.scheme, port: client.local.map(|local| local.port()) };
    LATEST.with_borrow_mut(|latest| {
        let lines = match latest {
            Some(lines) if lines.of == of => lines,
            latest => latest.insert(ClientLines::new(of)),
        };
        Some(use_them(lines))
    })
}

impl ClientLines {
    fn new(of: Of) -> Self {
        let address = Text::address(of.address);
        let (mut addresses, mut port) = (Lines::new(), Lines::new());
        let mut add = |own: &Own, value: &[u8]| addresses.header_of(own.written, &[value]);
        add(&X_REAL_IP, address.as_bytes());
        add(&X_FORWARDED_FOR, address.as_bytes());
        add(&X_FORWARDED_PROTO, of.scheme.as_str().as_bytes());
        if let Some(number) = of.port {
            port.header_of(X_FORWARDED_PORT.written, &[Text::number(number.into()).as_bytes()]);
        }
        Self { of, addresses, port }
    }
}
