//! A response's body in portions that show whether the client takes any.

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The longest portion: a client that takes less in the time it is given counts as one that takes
/// nothing.
const LONGEST: usize = 32 << 10;

/// What has not been handed out of a piece of the body.
#[derive(Debug, Default)]
pub(crate) struct Portions(Bytes);

impl Portions {
    /// The first portion of a frame; the rest is kept.
    pub(crate) fn first(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(mut data) if data.len() > LONGEST => {
                let first = data.split_to(LONGEST);
                self.0 = data;
                Frame::data(first)
            }
            Ok(data) => Frame::data(data),
            Err(frame) => frame,
        }
    }

    /// The next portion of what was kept.
    pub(crate) fn next(&mut self) -> Option<Frame<Bytes>> {
        if self.0.is_empty() {
            return None;
        }
        Some(Frame::data(self.0.split_to(self.0.len().min(LONGEST))))
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what is kept to the size of what is still to come.
    pub(crate) fn add_to(&self, hint: &mut SizeHint) {
        let kept = self.0.len() as u64;
        let upper = hint.upper().and_then(|upper| upper.checked_add(kept));
        let mut sum = SizeHint::new();
        sum.set_lower(hint.lower().saturating_add(kept));
        upper.into_iter().for_each(|upper| sum.set_upper(upper));
        *hint = sum;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_long_piece_is_handed_out_in_portions() {
        let whole: Bytes = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let mut portions = Portions::default();
        let first = portions.first(Frame::data(whole.clone())).into_data().unwrap();
        let mut hint = SizeHint::with_exact(5);
        portions.add_to(&mut hint);
        assert_eq!(hint.exact(), Some(100_005 - first.len() as u64));
        let mut all = vec![first];
        while let Some(frame) = portions.next() {
            all.push(frame.into_data().unwrap());
        }
        assert!(portions.is_empty());
        assert!(all.iter().all(|portion| portion.len() <= LONGEST), "{:?}", all.iter().map(Bytes::len));
        assert_eq!(all.concat(), whole);
    }

    #[test]
    fn short_pieces_and_trailers_are_whole() {
        let mut portions = Portions::default();
        assert_eq!(portions.first(Frame::data(Bytes::from_static(b"short"))).into_data().unwrap(), "short");
        assert!(portions.first(Frame::trailers(HeaderMap::new())).is_trailers());
        assert!(portions.is_empty());
    }
}
