//! A set of addresses, however many.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Addresses and ranges: sorted, none overlapping or touching another, so that bisection finds the
/// only one an address can be in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Sorted<u32>,
    v6: Sorted<u128>,
}

/// The first and last addresses of ranges, apart: the search only touches the first ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sorted<T> {
    first: Box<[T]>,
    last: Box<[T]>,
}

impl Addresses {
    /// The set of these addresses (`192.0.2.1`) and ranges (`192.0.2.0/24`).
    ///
    /// # Errors
    /// The index of the entry that is neither.
    pub fn parse<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Result<Self, usize> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (index, entry) in entries.into_iter().enumerate() {
            match range(entry.as_ref()).ok_or(index)? {
                IpNet::V4(range) => v4.push((range.network().to_bits(), range.broadcast().to_bits())),
                IpNet::V6(range) => v6.push((range.network().to_bits(), range.broadcast().to_bits())),
            }
        }
        Ok(Self { v4: Sorted::new(v4, |last| last.checked_add(1)), v6: Sorted::new(v6, |last| last.checked_add(1)) })
    }

    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.first.is_empty() && self.v6.first.is_empty()
    }
}

impl<T: Copy + Ord> Sorted<T> {
    /// `after` is the number after one, if there is one.
    fn new(mut ranges: Vec<(T, T)>, after: impl Fn(T) -> Option<T>) -> Self {
        ranges.sort_unstable();
        let (mut firsts, mut lasts): (Vec<T>, Vec<T>) = (Vec::new(), Vec::new());
        for (first, last) in ranges {
            match lasts.last_mut() {
                Some(before) if after(*before).is_none_or(|after| first <= after) => *before = last.max(*before),
                _ => {
                    firsts.push(first);
                    lasts.push(last);
                }
            }
        }
        Self { first: firsts.into(), last: lasts.into() }
    }

    fn contains(&self, address: T) -> bool {
        let after = self.first.partition_point(|first| *first <= address);
        after.checked_sub(1).and_then(|at| self.last.get(at)).is_some_and(|last| address <= *last)
    }
}

/// An address or a range; an IPv6 address may stand in brackets, as Kong allows.
fn range(entry: &str) -> Option<IpNet> {
    let (address, length) = match entry.split_once('/') {
        Some((address, length)) => (address, Some(length.parse().ok()?)),
        None => (entry, None),
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match bare.parse().ok()? {
        IpAddr::V4(address) => Ipv4Net::new(address, length.unwrap_or(32)).ok().map(IpNet::V4),
        IpAddr::V6(address) => Ipv6Net::new(address, length.unwrap_or(128)).ok().map(IpNet::V6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(entries: &[&str], address: &str) -> bool {
        Addresses::parse(entries).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_and_ranges_of_both_families() {
        let entries = ["192.0.2.1", "198.51.100.7/24", "2001:db8::/32", "[::1]", "10.0.0.0/31"];
        for inside in ["192.0.2.1", "198.51.100.0", "198.51.100.255", "2001:db8:ffff::1", "::1", "10.0.0.1"] {
            assert!(contains(&entries, inside), "{inside}");
        }
        for outside in ["192.0.2.0", "192.0.2.2", "198.51.99.255", "198.51.101.0", "2001:db9::", "::2", "10.0.0.2"] {
            assert!(!contains(&entries, outside), "{outside}");
        }
    }

    #[test]
    fn the_ends_of_the_world() {
        for (entry, first, last) in [
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("255.255.255.255", "255.255.255.255", "255.255.255.255"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/128", "::", "::"),
        ] {
            assert!(contains(&[entry], first) && contains(&[entry], last), "{entry}");
        }
        assert!(!contains(&["0.0.0.0/0"], "::") && !contains(&["::/0"], "0.0.0.0"), "families are apart");
        assert!(!contains(&[], "192.0.2.1") && Addresses::default().is_empty());
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let one = Addresses::parse(["10.0.0.0/8"]).unwrap();
        let many = ["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "10.255.255.255", "10.0.0.0"];
        assert_eq!(Addresses::parse(many).unwrap(), one);
    }

    #[test]
    fn what_is_no_address_is_told_with_its_place() {
        for bad in ["hello", "0.0.0.0/33", "::/129", "1.2.3", "10.0.0.0/-1", "10.0.0.0/", ""] {
            assert_eq!(Addresses::parse(["10.0.0.0/8", bad]), Err(1), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_same_as_asking_every_range(
            ranges in prop::collection::vec((any::<u32>(), 0u8..=32), 0..40),
            asked in prop::collection::vec(any::<u32>(), 0..40),
        ) {
            let nets: Vec<Ipv4Net> =
                ranges.iter().map(|(bits, length)| Ipv4Net::new((*bits).into(), *length).unwrap()).collect();
            let set = Addresses::parse(nets.iter().map(Ipv4Net::to_string)).unwrap();
            let edges = nets.iter().flat_map(|net| {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
            });
            for bits in edges.chain(asked) {
                let address = std::net::Ipv4Addr::from(bits);
                let expected = nets.iter().any(|net| net.contains(&address));
                prop_assert_eq!(set.contains(address.into()), expected, "{}", address);
            }
        }
    }
}
