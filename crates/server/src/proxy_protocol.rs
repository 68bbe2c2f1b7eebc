//! The PROXY protocol: the first bytes of a connection, by which a balancer says whose it is.
//!
//! Versions 1 (a line of text) and 2 (binary) are read. Not a byte more than the header is taken
//! from the socket: what follows belongs to TLS or HTTP.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
};

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// How many bytes a header may have, as in nginx. Version 1 allows 107; in version 2, addresses take
/// up to 232 and the rest is notes that nobody here reads.
const LONGEST: usize = 4096;

/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;

/// How a header of version 1 begins.
const V1: &[u8] = b"PROXY ";

/// How a header of version 2 begins.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version, command, families and length come before the rest of version 2.
const V2_FIXED: usize = 16;

/// How many bytes are looked at in one go: more than headers without notes have.
const LOOK: usize = 256;

/// Reads the header; answers who the client is, or `None` if the header says that the connection is
/// the balancer's own (`LOCAL`), does not know (`UNKNOWN`), or speaks of other things than TCP.
///
/// # Errors
/// What is wrong with the connection's first bytes: it is to be closed.
pub(crate) async fn read(socket: &mut TcpStream) -> Result<Option<SocketAddr>, Broken> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        bytes.resize(before.saturating_add(LOOK), 0);
        let fresh = bytes.get_mut(before..).unwrap_or_default();
        let seen = socket.peek(fresh).await?;
        if seen == 0 {
            return Err(if before == 0 { Broken::Silent } else { Broken::Short });
        }
        bytes.truncate(before.saturating_add(seen));
        // Bytes that belong to the header are taken off the socket, so that the next look waits for more.
        let extent = extent(&bytes)?;
        bytes.truncate(extent.bytes());
        socket.read_exact(bytes.get_mut(before..).unwrap_or_default()).await?;
        if let Extent::Whole(_) = extent {
            return source(&bytes);
        }
    }
}

/// How far a header reaches into the first bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// It is complete with so many bytes.
    Whole(usize),
    /// All of these bytes belong to it, and more to come.
    Part(usize),
}

impl Extent {
    fn bytes(self) -> usize {
        match self {
            Self::Whole(bytes) | Self::Part(bytes) => bytes,
        }
    }
}

/// Finds the end of the header.
fn extent(bytes: &[u8]) -> Result<Extent, Broken> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, expected)| byte == expected);
    if begins(V1) {
        let line = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
        return match line.iter().position(|byte| *byte == b'\n') {
            Some(end) => Ok(Extent::Whole(end.saturating_add(1))),
            None if bytes.len() >= LONGEST_LINE => Err(Broken::Long),
            None => Ok(Extent::Part(bytes.len())),
        };
    }
    if !begins(V2) {
        return Err(Broken::Absent);
    }
    let Some(&[high, low]) = bytes.get(V2_FIXED.saturating_sub(2)..V2_FIXED) else {
        return Ok(Extent::Part(bytes.len()));
    };
    let all = V2_FIXED.saturating_add(usize::from(u16::from_be_bytes([high, low])));
    match all {
        _ if all > LONGEST => Err(Broken::Long),
        _ if bytes.len() < all => Ok(Extent::Part(bytes.len())),
        _ => Ok(Extent::Whole(all)),
    }
}

/// The client a complete header names.
fn source(header: &[u8]) -> Result<Option<SocketAddr>, Broken> {
    if header.starts_with(V2) && !names_tcp(header)? {
        return Ok(None);
    }
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    let (parsed, used) = ProxyHeader::parse(header, config).map_err(|_| Broken::Malformed)?;
    if used != header.len() {
        return Err(Broken::Malformed);
    }
    let canonical = |source: SocketAddr| SocketAddr::new(IpAddr::to_canonical(&source.ip()), source.port());
    Ok(parsed.proxied_address().map(|address| canonical(address.source)))
}

/// Whether a header of version 2 carries addresses of TCP. What does not is to be read over by its
/// length, whatever it says: the protocol asks for it with `LOCAL`, and nginx does it with families
/// it has no use for.
fn names_tcp(header: &[u8]) -> Result<bool, Broken> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    const TCP_OVER_IPV4: u8 = 0x11;
    const TCP_OVER_IPV6: u8 = 0x21;
    match header.get(V2.len()..V2_FIXED) {
        Some([LOCAL, ..]) => Ok(false),
        Some([PROXY, family, ..]) => Ok(matches!(*family, TCP_OVER_IPV4 | TCP_OVER_IPV6)),
        _ => Err(Broken::Malformed),
    }
}

/// Why a connection's first bytes are no PROXY protocol header.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Closed without a word, as port checks do.
    Silent,
    /// Closed in the middle of it.
    Short,
    /// Something else came.
    Absent,
    /// It begins as one, and does not keep to the form.
    Malformed,
    /// It is longer than any should be.
    Long,
    /// The connection broke.
    Lost(io::Error),
}

impl Broken {
    /// Whether there is something to tell the operator.
    pub(crate) fn is_worth_a_line(&self) -> bool {
        !matches!(self, Self::Silent | Self::Lost(_))
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("the connection was closed without a word"),
            Self::Short => f.write_str("the connection was closed in the middle of it"),
            Self::Absent => f.write_str(
                "the connection begins with something else; the listener is flagged proxy_protocol, does the balancer send it?",
            ),
            Self::Malformed => f.write_str("it is malformed"),
            Self::Long => f.write_str("it is too long"),
            Self::Lost(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// A header of version 2.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    /// From 192.0.2.7:4660 to 198.51.100.1:443.
    const IPV4: &[u8] = &[192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 1, 0xbb];

    fn ipv6(source: &str) -> Vec<u8> {
        let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
        [&octets(source)[..], &octets("2001:db8::2"), &[0x12, 0x34, 1, 0xbb]].concat()
    }

    /// Headers that are right, and whom they name.
    fn right() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let line = |text: &str| format!("PROXY {text}\r\n").into_bytes();
        let notes = [0x04, 0, 3, 0, 0, 0];
        vec![
            (line("TCP4 192.0.2.7 198.51.100.1 4660 443"), Some("192.0.2.7:4660")),
            (line("TCP6 2001:db8::7 2001:db8::2 4660 443"), Some("[2001:db8::7]:4660")),
            (line("TCP6 ::ffff:192.0.2.7 ::1 4660 443"), Some("192.0.2.7:4660")),
            (line("UNKNOWN"), None),
            (line("UNKNOWN ffff::1 ffff::2 1 2"), None),
            (v2(0x21, 0x11, IPV4), Some("192.0.2.7:4660")),
            (v2(0x21, 0x11, &[IPV4, &notes].concat()), Some("192.0.2.7:4660")),
            (v2(0x21, 0x11, &[IPV4, &[0xff; 4000]].concat()), Some("192.0.2.7:4660")),
            (v2(0x21, 0x21, &ipv6("2001:db8::7")), Some("[2001:db8::7]:4660")),
            (v2(0x21, 0x21, &ipv6("::ffff:192.0.2.7")), Some("192.0.2.7:4660")),
            // The balancer's own, whatever it says of families.
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, IPV4), None),
            (v2(0x20, 0x11, &[]), None),
            (v2(0x20, 0x77, &[1, 2, 3]), None),
            // No TCP: UDP, a local socket, unspecified, unheard of.
            (v2(0x21, 0x12, IPV4), None),
            (v2(0x21, 0x31, &[0; 216]), None),
            (v2(0x21, 0x00, &notes), None),
            (v2(0x21, 0x41, &[]), None),
        ]
    }

    fn parsed(bytes: &[u8]) -> Result<(Option<String>, usize), Option<Broken>> {
        match extent(bytes)? {
            Extent::Part(part) => {
                assert_eq!(part, bytes.len());
                Err(None)
            }
            Extent::Whole(end) => Ok((source(&bytes[..end])?.map(|source| source.to_string()), end)),
        }
    }

    #[test]
    fn a_header_names_the_client_and_ends_where_it_ends() {
        for (header, client) in right() {
            let followed = [&header[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
            let found = parsed(&followed).unwrap_or_else(|why| panic!("{header:?}: {why:?}"));
            assert_eq!(found, (client.map(str::to_owned), header.len()), "{header:?}");
            for length in 1..header.len() {
                assert!(matches!(parsed(&header[..length]), Err(None)), "{length} bytes of {header:?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = format!("PROXY TCP4 {}", "1".repeat(100)).into_bytes();
        for (bytes, why) in [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "Absent"),
            (b"G".to_vec(), "Absent"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "Absent"),
            (b"PROXYZTCP4 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(), "Absent"),
            (b"\x16\x03\x01".to_vec(), "Absent"),
            (b"\r\n\r\n\0\r\nQUITE".to_vec(), "Absent"),
            (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n".to_vec(), "Malformed"),
            (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n".to_vec(), "Malformed"),
            (b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n".to_vec(), "Malformed"),
            (b"PROXY TCP4 ::1 ::2 1 2\r\n".to_vec(), "Malformed"),
            (b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(), "Malformed"),
            (b"PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(), "Malformed"),
            (b"PROXY TCP4 a b 1 2\r\n".to_vec(), "Malformed"),
            (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rX\n".to_vec(), "Malformed"),
            (b"PROXY \r\n".to_vec(), "Malformed"),
            (b"PROXY UNKNOWN\n".to_vec(), "Malformed"),
            (long, "Long"),
            (v2(0x11, 0x11, IPV4), "Malformed"),
            (v2(0x22, 0x11, IPV4), "Malformed"),
            (v2(0x21, 0x11, &IPV4[1..]), "Malformed"),
            (v2(0x21, 0x21, IPV4), "Malformed"),
            (v2(0x21, 0x11, &[0; 4081]), "Long"),
        ] {
            let found = parsed(&bytes).map_err(|broken| format!("{broken:?}"));
            assert_eq!(found, Err(format!("Some({why})")), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    /// Nothing that may come makes it panic, or take more than there is.
    #[test]
    fn any_bytes_are_read_or_refused() {
        let headers = right();
        for _ in 0..100_000 {
            let mut bytes = headers[fastrand::usize(..headers.len())].0.clone();
            for _ in 0..fastrand::usize(..4) {
                let at = fastrand::usize(..bytes.len().min(64));
                bytes[at] = fastrand::u8(..);
            }
            bytes.truncate(fastrand::usize(..=bytes.len()));
            if let Ok((_, end)) = parsed(&bytes) {
                assert!(end <= bytes.len());
            }
        }
    }

    #[tokio::test]
    async fn not_a_byte_after_the_header_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for (header, client) in right() {
            for pieces in [1, 7, header.len() + 5] {
                let mut sender = TcpStream::connect(address).await.unwrap();
                let (mut socket, _) = listener.accept().await.unwrap();
                let all = [&header[..], b"hello"].concat();
                let sending = tokio::spawn(async move {
                    sender.set_nodelay(true).unwrap();
                    for piece in all.chunks(all.len().div_ceil(pieces)) {
                        sender.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                });
                let found = read(&mut socket).await.unwrap();
                assert_eq!(found.map(|source| source.to_string()).as_deref(), client);
                sending.await.unwrap();
                let mut rest = Vec::new();
                socket.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, b"hello");
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_too_early_has_no_header() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (sent, worth_a_line) in [("", false), ("PROXY TCP4", true)] {
            let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut socket, _) = listener.accept().await.unwrap();
            sender.write_all(sent.as_bytes()).await.unwrap();
            drop(sender);
            let broken = read(&mut socket).await.unwrap_err();
            assert_eq!(broken.is_worth_a_line(), worth_a_line, "{broken}");
        }
    }
}
