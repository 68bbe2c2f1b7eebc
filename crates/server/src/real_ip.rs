//! Who a trusted peer says the client is.

use std::{
    net::{IpAddr, SocketAddr},
    ops::ControlFlow,
};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    config::{RealIp, RealIpSource},
    networks::Networks,
    origin::Origin,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address, and a port if it came with one.
type Address = (IpAddr, Option<u16>);

/// The client's address, and its port where it is told, as a trusted peer says; `None` if it says
/// nothing one could read.
pub(crate) fn told(headers: &HeaderMap, origin: &Origin, real_ip: &RealIp, trusted: &Networks) -> Option<Address> {
    match &real_ip.source {
        RealIpSource::ProxyProtocol => origin.told.map(|client| (client.ip(), Some(client.port()))),
        RealIpSource::Header(name) => told_by_header(headers, name, real_ip.recursive, trusted),
    }
}

/// The header is a list that each proxy has appended to, so it is read from its end: the last
/// address counts, or, `recursive`, the last one that is not trusted itself. What stands before an
/// address nobody can read is not looked at.
fn told_by_header(headers: &HeaderMap, name: &HeaderName, recursive: bool, trusted: &Networks) -> Option<Address> {
    let mut found = None;
    let is_last = |address: &Address| !recursive || !trusted.contains(address.0);
    if *name == FORWARDED_FOR {
        for line in headers.get_all(name).iter().rev() {
            if read(line, &mut found, is_last).is_break() {
                break;
            }
        }
    } else if let Some(line) = headers.get(name) {
        let _ = read(line, &mut found, is_last);
    }
    found
}

/// Reads one line from its end until an address is the last to be read.
fn read(line: &HeaderValue, found: &mut Option<Address>, is_last: impl Fn(&Address) -> bool) -> ControlFlow<()> {
    let Ok(line) = line.to_str() else { return ControlFlow::Break(()) };
    for item in line.rsplit([',', ' ']).filter(|item| !item.is_empty()) {
        let Some(address) = parse(item) else { return ControlFlow::Break(()) };
        *found = Some(address);
        if is_last(&address) {
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}

/// `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]`, `[::1]:567`.
fn parse(text: &str) -> Option<Address> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_canonical(), None));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip().to_canonical(), Some(address.port())));
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    Some((inside.parse::<IpAddr>().ok()?.to_canonical(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_by(header: &'static str, recursive: bool, lines: &[&str]) -> Option<String> {
        let trusted = Networks::new(&["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        told_by_header(&headers, &HeaderName::from_static(header), recursive, &trusted).map(
            |(address, port)| match port {
                Some(port) => SocketAddr::new(address, port).to_string(),
                None => address.to_string(),
            },
        )
    }

    #[test]
    fn the_last_address_counts() {
        let table: [(&[&str], Option<&str>); 10] = [
            (&[], None),
            (&[""], None),
            (&["1.2.3.4"], Some("1.2.3.4")),
            (&["1.2.3.4:80"], Some("1.2.3.4:80")),
            (&["1.1.1.1, 2.2.2.2"], Some("2.2.2.2")),
            (&["1.1.1.1, 2.2.2.2, ,"], Some("2.2.2.2")),
            (&["::1"], Some("::1")),
            (&["[2001:db8::1]:443"], Some("[2001:db8::1]:443")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["1.1.1.1, unknown"], None),
        ];
        for (lines, expected) in table {
            assert_eq!(told_by("x-real-ip", false, lines).as_deref(), expected, "{lines:?}");
            assert_eq!(told_by("x-forwarded-for", false, lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_forwarded_for_is_one_list_of_all_its_lines() {
        let lines = ["1.1.1.1", "2.2.2.2"];
        assert_eq!(told_by("x-forwarded-for", false, &lines).as_deref(), Some("2.2.2.2"));
        assert_eq!(told_by("x-real-ip", false, &lines).as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn recursively_trusted_addresses_are_skipped() {
        let table: [(&[&str], Option<&str>); 6] = [
            (&["6.6.6.6, 1.1.1.1, 10.0.0.1, 10.0.0.2"], Some("1.1.1.1")),
            (&["6.6.6.6", "1.1.1.1", "10.0.0.1"], Some("1.1.1.1")),
            (&["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            (&["1.1.1.1, nonsense, 10.0.0.2"], Some("10.0.0.2")),
            (&["1.1.1.1", "\u{e9}", "10.0.0.2"], Some("10.0.0.2")),
            (&["nonsense"], None),
        ];
        for (lines, expected) in table {
            assert_eq!(told_by("x-forwarded-for", true, lines).as_deref(), expected, "{lines:?}");
        }
    }
}
