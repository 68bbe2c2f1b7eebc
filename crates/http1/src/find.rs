//! Where a byte stands in a text that is nearly always short.

/// How many bytes are looked at in place, at most. What is longer is left to what is quick with long texts.
const SHORT: usize = 64;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Where the first such byte stands.
///
/// Lines of heads are short, and their names shorter: eight bytes at a time are then found sooner than by `memchr`, which
/// must be called and has to find out what the processor can do.
#[inline]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let (short, long) = bytes.split_at_checked(SHORT).unwrap_or((bytes, &[]));
    let (eights, rest) = short.as_chunks::<8>();
    let wanted = ONES.wrapping_mul(byte.into());
    let mut at = 0usize;
    for eight in eights {
        // Where they are equal there is nothing left, of which one can be taken only by borrowing.
        let differs = u64::from_le_bytes(*eight) ^ wanted;
        let found = differs.wrapping_sub(ONES) & !differs & TOPS;
        if found != 0 {
            return at.checked_add(usize::try_from(found.trailing_zeros() / 8).ok()?);
        }
        at = at.saturating_add(8);
    }
    match rest.iter().position(|other| *other == byte) {
        Some(found) => at.checked_add(found),
        None => memchr::memchr(byte, long)?.checked_add(SHORT),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_found_wherever_it_stands(bytes in prop::collection::vec(0u8..4, 0..200), byte in 0u8..4) {
            prop_assert_eq!(find(byte, &bytes), bytes.iter().position(|other| *other == byte));
        }

        #[test]
        fn neighbours_are_not_taken_for_it(before in any::<u8>(), byte in any::<u8>(), at in 0usize..130) {
            let mut bytes = vec![before; 130];
            let expected = if before == byte { 0 } else { at };
            bytes[at] = byte;
            prop_assert_eq!(find(byte, &bytes), Some(expected));
        }
    }
}
