//! Which of several matching rules wins: Kong's 64-bit number.

use std::cmp::{Ordering, Reverse};

use uuid::Uuid;

use crate::rule::{Address, Network, Protocols, Rule};

/// The place of a rule, or of one part of it, in the order of all. `Less` goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) number: u64,
    /// As written: tells apart what the number has no room for.
    regex_priority: i64,
    id: Uuid,
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |one: &Self| Reverse((one.number, one.regex_priority, one.id));
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a part of a rule asks of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    Any,
    /// Plain prefixes of this many bytes.
    Prefix(usize),
    Regex,
}

impl Standing {
    /// The standing of the part of `rule` that has these paths and is known by this id.
    pub(crate) fn new(rule: &Rule, path: PathKind, id: Uuid) -> Self {
        let number =
            if rule.protocols.intersects(Protocols::STREAM) { stream_number(rule) } else { web_number(rule, path) };
        let regex_priority = if path == PathKind::Regex { rule.regex_priority } else { 0 };
        Self { number, regex_priority, id }
    }
}

/// From the highest bit: how many kinds of conditions (3 bits), only plain hosts (1), how many
/// headers (8), regex (1), regex priority (32), length of the plain prefix (19).
fn web_number(rule: &Rule, path: PathKind) -> u64 {
    let kinds = [
        !rule.methods.is_empty(),
        !rule.hosts.is_empty(),
        !rule.headers.is_empty(),
        path != PathKind::Any,
        !rule.snis.is_empty(),
        !rule.sources.is_empty(),
        !rule.destinations.is_empty(),
    ];
    let kinds = kinds.into_iter().map(u64::from).sum::<u64>();
    let plain_hosts = !rule.hosts.is_empty() && !rule.hosts.iter().any(|host| host.contains('*'));
    let headers = header_names(rule).min(0xFF) as u64;
    let (regex, regex_priority, length) = match path {
        PathKind::Any => (0, 0, 0),
        PathKind::Prefix(length) => (0, 0, length.min(0x7_FFFF) as u64),
        PathKind::Regex => (1, rule.regex_priority.clamp(0, i64::from(u32::MAX)).unsigned_abs(), 0),
    };
    kinds << 61 | u64::from(plain_hosts) << 60 | headers << 52 | regex << 51 | regex_priority << 19 | length
}

fn header_names(rule: &Rule) -> usize {
    let mut names: Vec<_> = rule.headers.iter().map(|(name, _)| name.to_ascii_lowercase().replace('_', "-")).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Server names, or both ends of the connection, before one end; then what is known of the ends.
fn stream_number(rule: &Rule) -> u64 {
    let both_ends = !rule.sources.is_empty() && !rule.destinations.is_empty();
    let first = u64::from(!rule.snis.is_empty() || both_ends);
    first << 61 | weight(&rule.sources) << 4 | weight(&rule.destinations)
}

fn weight(addresses: &[Address]) -> u64 {
    addresses.iter().fold(0, |weight, address| {
        let ip = match address.ip {
            None => 0,
            Some(Network::Cidr(_)) => 1,
            Some(Network::One(_)) => 8,
        };
        weight | ip | if address.port.is_some() { 4 } else { 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(list: &[&str]) -> Vec<String> {
        list.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn the_number_bit_by_bit() {
        let number = |rule: &Rule, path| Standing::new(rule, path, Uuid::nil()).number;
        assert_eq!(number(&Rule::default(), PathKind::Any), 0);
        assert_eq!(number(&Rule::default(), PathKind::Prefix(4)), 1 << 61 | 4);
        assert_eq!(number(&Rule::default(), PathKind::Prefix(600_000)), 1 << 61 | 0x7_FFFF);
        let regex = |regex_priority| number(&Rule { regex_priority, ..Rule::default() }, PathKind::Regex);
        assert_eq!(regex(0), 1 << 61 | 1 << 51);
        assert_eq!(regex(3), 1 << 61 | 1 << 51 | 3 << 19);
        assert_eq!(regex(-3), regex(0));
        assert_eq!(regex(i64::MAX), 1 << 61 | 1 << 51 | 0xFFFF_FFFF << 19);
        let plain = Rule { hosts: text(&["a", "b:80"]), ..Rule::default() };
        assert_eq!(number(&plain, PathKind::Any), 1 << 61 | 1 << 60);
        let wild = Rule { hosts: text(&["a", "*.b"]), ..Rule::default() };
        assert_eq!(number(&wild, PathKind::Any), 1 << 61);
        let header = |name: &str| (name.to_owned(), text(&["v"]));
        let headers = Rule { headers: vec![header("x-a"), header("X_A"), header("x-b")], ..Rule::default() };
        assert_eq!(number(&headers, PathKind::Any), 1 << 61 | 2 << 52);
        let many = Rule { headers: (0..300).map(|n| header(&n.to_string())).collect(), ..Rule::default() };
        assert_eq!(number(&many, PathKind::Any), 1 << 61 | 255 << 52);
        let all = Rule {
            methods: text(&["GET"]),
            hosts: text(&["a"]),
            headers: vec![header("x-a")],
            snis: text(&["a"]),
            sources: vec![Address::default()],
            destinations: vec![Address::default()],
            ..Rule::default()
        };
        assert_eq!(number(&all, PathKind::Prefix(1)), 7 << 61 | 1 << 60 | 1 << 52 | 1);
    }

    #[test]
    fn the_number_of_streams() {
        let one = Address { ip: Some("192.0.2.1".parse().unwrap()), port: None };
        let net = Address { ip: Some("192.0.2.0/24".parse().unwrap()), port: None };
        let port = Address { ip: None, port: Some(9) };
        let number = |snis: &[&str], sources: &[Address], destinations: &[Address]| {
            let rule = Rule {
                protocols: Protocols::TLS,
                snis: text(snis),
                sources: sources.into(),
                destinations: destinations.into(),
                ..Rule::default()
            };
            Standing::new(&rule, PathKind::Any, Uuid::nil()).number
        };
        assert_eq!(number(&["a"], &[], &[]), 1 << 61);
        assert_eq!(number(&[], &[one], &[port]), 1 << 61 | 8 << 4 | 4);
        assert_eq!(number(&[], &[net, port], &[]), 5 << 4);
        assert_eq!(number(&[], &[], &[one, port]), 12);
    }

    #[test]
    fn ties_go_to_a_higher_regex_priority_then_to_the_greater_id() {
        let id = Uuid::from_u128;
        let of = |regex_priority, n| Standing::new(&Rule { regex_priority, ..Rule::default() }, PathKind::Regex, id(n));
        assert!(of(0, 2) < of(0, 1));
        assert!(of(0, 1) < of(-1, 2));
        assert!(of(-1, 1) < of(-2, 2));
        assert!(of(i64::MAX, 1) < of(i64::from(u32::MAX), 2));
        let prefix =
            |regex_priority, n| Standing::new(&Rule { regex_priority, ..Rule::default() }, PathKind::Prefix(1), id(n));
        assert!(prefix(0, 2) < prefix(9, 1), "regex_priority is for regexes only");
    }
}
