//! The id of one request.

use std::fmt;

use http::HeaderValue;

/// A request's id: 128 random bits, written as 32 lower-case hexadecimal digits
/// (`X-Kong-Request-Id`, `request_id` in error bodies). Unpredictable enough to correlate, not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// A new random id.
    pub fn random() -> Self {
        Self::from_bits(fastrand::u128(..))
    }

    /// The id made of these bits.
    pub fn from_bits(bits: u128) -> Self {
        let mut digits = [b'0'; 32];
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(bits.to_be_bytes()) {
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        Self(digits)
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as a header's value.
    pub fn to_value(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}

/// Without a branch, so that it is done for many at once.
fn digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_32_lower_case_hexadecimal_digits() {
        assert_eq!(RequestId::from_bits(0xdead_beef).as_str(), "000000000000000000000000deadbeef");
        assert_eq!(RequestId::from_bits(u128::MAX).to_string(), "f".repeat(32));
        assert_ne!(RequestId::random(), RequestId::random());
    }
}
