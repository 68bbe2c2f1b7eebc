//! A set of networks with a fast answer to "is this address in it?".

use std::net::IpAddr;

use ipnet::IpNet;

/// A set of networks: sorted ranges of addresses that do not overlap, searched by halving.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Networks {
    /// The set of these networks.
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self { v4: Ranges::new(v4), v6: Ranges::new(v6) }
    }

    /// Whether this address is in one of the networks. An IPv4 address in IPv6 clothes
    /// (`::ffff:10.0.0.1`) counts as the IPv4 address it is.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contain(address.to_bits()),
            IpAddr::V6(address) => self.v6.contain(address.to_bits()),
        }
    }
}

/// First and last number of each range, in ascending order.
#[derive(Debug, Clone, Default)]
struct Ranges<N>(Box<[(N, N)]>);

impl<N: Ord + Copy> Ranges<N> {
    fn new(mut ranges: Vec<(N, N)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(N, N)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(previous) if first <= previous.1 => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into())
    }

    fn contain(&self, number: N) -> bool {
        let after = self.0.partition_point(|range| range.0 <= number);
        after.checked_sub(1).and_then(|index| self.0.get(index)).is_some_and(|range| number <= range.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(networks: &[&str]) -> Networks {
        Networks::new(&networks.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn an_address_is_in_the_set_if_one_network_has_it() {
        let some = set(&["10.0.0.0/8", "10.1.0.0/16", "192.168.1.7/32", "fd00::/8", "::1/128"]);
        let everything = set(&["0.0.0.0/0", "::/0"]);
        let table = [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("9.255.255.255", false),
            ("11.0.0.0", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("::ffff:10.2.3.4", true),
            ("fd12::1", true),
            ("::1", true),
            ("::2", false),
        ];
        for (address, inside) in table {
            assert_eq!(some.contains(address.parse().unwrap()), inside, "{address}");
            assert!(everything.contains(address.parse().unwrap()), "{address}");
            assert!(!Networks::default().contains(address.parse().unwrap()), "{address}");
        }
    }
}
