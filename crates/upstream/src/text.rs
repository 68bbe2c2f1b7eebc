//! Numbers and addresses as text, without an allocation.

use std::{
    fmt::{self, Write},
    net::IpAddr,
};

/// How long the longest address is as text.
const LONGEST: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();

/// A short text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; LONGEST], length: 0 };

    pub(crate) fn address(address: IpAddr) -> Self {
        let mut text = Self::EMPTY;
        match address {
            IpAddr::V4(address) => {
                for (place, octet) in address.octets().into_iter().enumerate() {
                    if place > 0 {
                        text.push(b'.');
                    }
                    text.put_octet(octet);
                }
            }
            // There is room for every address.
            IpAddr::V6(address) => drop(write!(text, "{address}")),
        }
        text
    }

    pub(crate) fn number(number: u64) -> Self {
        let mut text = Self::EMPTY;
        text.put_decimal(number);
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    fn put_octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.push(b'0' | (octet / 100));
        }
        if octet >= 10 {
            self.push(b'0' | (octet / 10 % 10));
        }
        self.push(b'0' | (octet % 10));
    }

    fn put_decimal(&mut self, number: u64) {
        if number >= 10 {
            self.put_decimal(number / 10);
        }
        self.push(b'0' | u8::try_from(number % 10).unwrap_or_default());
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_usual() {
        for number in [0, 1, 9, 10, 80, 8443, 65535, u64::MAX] {
            assert_eq!(Text::number(number).as_bytes(), number.to_string().as_bytes());
        }
        for address in ["0.0.0.0", "127.0.0.1", "255.255.255.255", "::1", "2001:db8::7", "::ffff:192.0.2.1"] {
            assert_eq!(Text::address(address.parse().unwrap()).as_bytes(), address.as_bytes());
        }
        let long: IpAddr = "1111:2222:3333:4444:5555:6666:7777:8888".parse().unwrap();
        assert_eq!(Text::address(long).as_bytes(), long.to_string().as_bytes());
    }
}
