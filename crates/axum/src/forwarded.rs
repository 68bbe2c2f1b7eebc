//! What proxies in front say about the client.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address as `X-Forwarded-For` has it: read from its end, past every proxy that is
/// trusted, because what stands before the first that is not may be anybody's invention. `None` if
/// the header says nothing that can be read.
pub(crate) fn client(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(',').map(str::trim));
    let mut client = None;
    for hop in hops {
        let Some(address) = address(hop) else { break };
        client = Some(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address.to_canonical()))
}

/// An address as proxies write it: alone, with a port, IPv6 in brackets or without.
fn address(hop: &str) -> Option<IpAddr> {
    let without_port = match hop.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if hop.matches(':').count() == 1 => hop.split(':').next().unwrap_or_default(),
        None => hop,
    };
    without_port.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_passed_over() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (lines, client) in [
            (&["203.0.113.9"][..], Some("203.0.113.9")),
            (&["198.51.100.1, 203.0.113.9, 10.0.0.2"], Some("203.0.113.9")),
            (&["198.51.100.1", "203.0.113.9:4711", "10.0.0.2,10.0.0.3"], Some("203.0.113.9")),
            (&["[2001:db8::1]:443, fd00::7"], Some("2001:db8::1")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            (&["::ffff:203.0.113.9"], Some("203.0.113.9")),
            (&["10.0.0.4, 10.0.0.2"], Some("10.0.0.4")),
            (&["unknown, 10.0.0.2"], Some("10.0.0.2")),
            (&["203.0.113.9, , 10.0.0.2"], Some("10.0.0.2")),
            (&["unknown"], None),
            (&[""], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, line.parse().unwrap());
            }
            assert_eq!(self::client(&headers, &trusted), client.map(|text| text.parse().unwrap()), "{lines:?}");
        }
    }
}
