//! Ids of traces and spans.

use std::num::NonZeroU64;

use towergate_core::IdForm;

/// The id of a trace: 16 bytes, of which some systems use only the last 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId {
    bits: u128,
    /// How many bytes it had where it comes from; `None` for one of our own.
    bytes: Option<u8>,
}

impl TraceId {
    /// A new random one. Never all zeros, which means "none" everywhere.
    pub fn random() -> Self {
        Self { bits: fastrand::u128(..).max(1), bytes: None }
    }

    /// A new random one of 8 bytes.
    pub fn random_short() -> Self {
        Self { bits: fastrand::u64(..).max(1).into(), bytes: None }
    }

    /// One that came with a request, where it had so many bytes; `None` if it is all zeros.
    pub fn received(bits: u128, bytes: u8) -> Option<Self> {
        (bits != 0).then_some(Self { bits, bytes: Some(bytes) })
    }

    /// The id.
    pub fn bits(self) -> u128 {
        self.bits
    }

    /// How many bytes to write where there is a choice: as many as came, if that is possible.
    pub(crate) fn size(self, usual: Size) -> Size {
        match self.bytes {
            Some(8) => Size::Eight,
            Some(16) => Size::Sixteen,
            _ => usual,
        }
    }

    /// In so many hexadecimal digits; what does not fit is cut off at the front.
    pub(crate) fn hex(self, size: Size) -> String {
        match size {
            Size::Eight => text(&hex(self.low().to_be_bytes())),
            Size::Sixteen => text(&hex(self.bits.to_be_bytes())),
        }
    }

    /// Its last 8 bytes.
    pub(crate) fn low(self) -> u64 {
        // What does not fit is cut off: that is the point.
        (self.bits & u128::from(u64::MAX)) as u64
    }
}

/// How many bytes of a trace's id are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Eight,
    Sixteen,
}

impl Size {
    /// So many bytes in hexadecimal digits.
    pub(crate) fn form(self) -> IdForm {
        match self {
            Self::Eight => IdForm::Hex16,
            Self::Sixteen => IdForm::Hex32,
        }
    }
}

/// The id of a span: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// A new random one.
    pub fn random() -> Self {
        Self(NonZeroU64::new(fastrand::u64(..)).unwrap_or(NonZeroU64::MIN))
    }

    /// The id with these bits; `None` if they are all zero.
    pub fn new(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }

    /// The id.
    pub fn bits(self) -> u64 {
        self.0.get()
    }

    /// In 16 hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        text(&hex(self.bits().to_be_bytes()))
    }
}

/// The hexadecimal digits of these bytes, two for each, lower case.
pub(crate) fn hex<const N: usize>(bytes: [u8; N]) -> [[u8; 2]; N] {
    let digit = |value: u8| value.wrapping_add(if value < 10 { b'0' } else { b'a'.wrapping_sub(10) });
    let mut digits = [[0; 2]; N];
    for (pair, byte) in digits.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    digits
}

fn text(digits: &[[u8; 2]]) -> String {
    String::from_utf8_lossy(digits.as_flattened()).into_owned()
}

/// The number that these hexadecimal digits write, upper or lower case; `None` if there are none, more
/// than `max`, or something else among them.
pub(crate) fn from_hex(text: &str, max: usize) -> Option<u128> {
    if text.is_empty() || text.len() > max.min(32) {
        return None;
    }
    // In halves: numbers of 64 bits are what the processor counts with.
    let (high, low) = text.as_bytes().split_at_checked(text.len().saturating_sub(16))?;
    Some(u128::from(from_digits(high)?) << 64 | u128::from(from_digits(low)?))
}

/// The number that up to 16 hexadecimal digits write, upper or lower case; `None` if there is something else among them.
pub(crate) fn from_digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, digit| Some(number << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

/// The same for a span's id: up to 16 digits, not all zero.
pub(crate) fn span_from_hex(text: &str) -> Option<SpanId> {
    from_hex(text, 16).and_then(|bits| SpanId::new(u64::try_from(bits).ok()?))
}

/// The last 16 bytes of the number that these decimal digits write; `None` if there are none, or
/// something else among them.
pub(crate) fn from_decimal(text: &str) -> Option<u128> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u128, |number, byte| {
        let digit = char::from(byte).to_digit(10)?;
        Some(number.wrapping_mul(10).wrapping_add(digit.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_as_far_as_they_fit() {
        assert_eq!(from_hex("0aF", 16), Some(0xaf));
        assert_eq!(from_hex(&"f".repeat(32), 32), Some(u128::MAX));
        for wrong in ["", "g", "+1", "-1", " 1", &"0".repeat(33)] {
            assert_eq!(from_hex(wrong, 64), None, "{wrong}");
        }
        assert_eq!(span_from_hex("0000000000000000"), None, "all zeros are no id");
        assert_eq!(span_from_hex("12345678901234567"), None);
        assert_eq!(from_decimal("18446744073709551616"), Some(1 << 64));
        assert_eq!(from_decimal("340282366920938463463374607431768211457"), Some(1), "the last 16 bytes count");
        assert_eq!(from_decimal("1a"), None);
    }

    #[test]
    fn an_id_keeps_the_size_it_came_with() {
        let (short, long) = (TraceId::received(0xab, 8).unwrap(), TraceId::received(0xab, 16).unwrap());
        assert_eq!(short.hex(short.size(Size::Sixteen)), "00000000000000ab");
        assert_eq!(long.hex(long.size(Size::Eight)).len(), 32);
        assert_eq!(TraceId::random().size(Size::Sixteen), Size::Sixteen);
        assert_eq!(TraceId::received(0, 16), None);
    }
}
