//! Which traces are recorded.

use crate::ids::TraceId;

/// Whether a trace is among this share of all, from 0 to 1. Whoever else decides so decides the same,
/// because it depends on nothing but the trace's id: Kong's rule, its first 8 bytes as a number (least byte
/// first). Of an id that has only 8 bytes, those count.
pub(crate) fn is_sampled(id: TraceId, rate: f64) -> bool {
    const ALL: f64 = 18_446_744_073_709_551_616.0;
    if rate >= 1.0 {
        return true;
    }
    // Half of the bits, exactly.
    let first = (id.bits() >> 64) as u64;
    let deciding = if first == 0 { id.low() } else { first };
    (deciding.swap_bytes() as f64) < rate * ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_decides() {
        let id = |bits| TraceId::received(bits, 16).unwrap();
        // Its first 8 bytes, least byte first: 0x80_00000000000000 is half of all.
        let (half, quarter) = (id((0x80_u128) << 64 | 1), id((0x40_u128) << 64 | 1));
        for (rate, of_half, of_quarter) in
            [(0.0, false, false), (0.2, false, false), (0.3, false, true), (0.6, true, true), (1.0, true, true)]
        {
            assert_eq!((is_sampled(half, rate), is_sampled(quarter, rate)), (of_half, of_quarter), "{rate}");
        }
        assert!(!is_sampled(id(0x80), 0.4) && is_sampled(id(0x80), 0.6), "an id of 8 bytes is no zero");
    }

    #[test]
    fn the_share_is_the_rate() {
        let mut random = fastrand::Rng::with_seed(7);
        let sampled = (0..20_000).filter(|_| is_sampled(TraceId::received(random.u128(1..), 16).unwrap(), 0.25));
        assert!((4_700..5_300).contains(&sampled.count()));
    }
}
