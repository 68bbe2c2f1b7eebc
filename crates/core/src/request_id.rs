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
        for (eight, four) in digits.as_chunks_mut().0.iter_mut().zip(bits.to_be_bytes().as_chunks().0) {
            *eight = eight_digits(u32::from_be_bytes(*four));
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

/// The eight hexadecimal digits of a number, all at once: each half of a byte in a byte of its own, then made a letter.
fn eight_digits(bits: u32) -> [u8; 8] {
    let spread = u64::from(bits);
    let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte that is more than 9.
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let digits = nibbles + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10);
    digits.to_be_bytes()
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
        assert_eq!(
            RequestId::from_bits(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210).as_str(),
            "0123456789abcdeffedcba9876543210"
        );
        assert_ne!(RequestId::random(), RequestId::random());
    }
}
