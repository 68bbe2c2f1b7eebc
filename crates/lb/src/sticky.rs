//! A client that stays with its target.

use std::collections::HashMap;

use xxhash_rust::xxh32::xxh32;

use crate::Pick;

/// Sticky sessions: a client is given a token (in a cookie, say) at its first request and comes back
/// to the same target with it, as long as that is in rotation. New clients are shared out by the
/// algorithm inside.
///
/// Tokens are made from the targets' names, so that they count on every gateway and after a restart.
/// They tell nobody a name, but are no secret either: whoever knows the names can make them.
#[derive(Debug)]
pub struct Sticky<P> {
    picker: P,
    tokens: Vec<String>,
    places: HashMap<String, usize>,
}

/// Where a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck<'a> {
    /// The place of its target.
    pub place: usize,
    /// The token to give it, if it has none or one that counts no more.
    pub token: Option<&'a str>,
}

impl<P: Pick> Sticky<P> {
    /// Sticks to targets with these names, in the order in which `picker` knows them.
    pub fn new<N: AsRef<str>>(picker: P, names: impl IntoIterator<Item = N>) -> Self {
        let tokens: Vec<_> = names.into_iter().map(|name| token(name.as_ref())).collect();
        let places = tokens.iter().cloned().enumerate().map(|(place, token)| (token, place)).collect();
        Self { picker, tokens, places }
    }

    /// The algorithm inside.
    pub fn picker(&self) -> &P {
        &self.picker
    }

    /// Where a client with this token goes; `None` if no place is in rotation. A client whose target
    /// is out of rotation or was tried gets another and its token.
    ///
    /// `is_available` says whether a place is in rotation.
    pub fn pick(
        &self,
        token: Option<&str>,
        tried: &[usize],
        is_available: impl Fn(usize) -> bool,
    ) -> Option<Stuck<'_>> {
        let known = token.and_then(|token| self.places.get(token)).copied();
        if let Some(place) = known.filter(|place| is_available(*place) && !tried.contains(place)) {
            return Some(Stuck { place, token: None });
        }
        let place = self.picker.pick(0, tried)?;
        Some(Stuck { place, token: self.tokens.get(place).map(String::as_str).filter(|new| token != Some(*new)) })
    }
}

/// Sixteen hexadecimal digits.
fn token(name: &str) -> String {
    format!("{:08x}{:08x}", xxh32(name.as_bytes(), 1), xxh32(name.as_bytes(), 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RoundRobin;

    const NAMES: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

    fn sticky() -> Sticky<RoundRobin> {
        Sticky::new(RoundRobin::new([1, 1, 1]), NAMES)
    }

    #[test]
    fn a_client_comes_back_to_its_target() {
        let sticky = sticky();
        let first = sticky.pick(None, &[], |_| true).unwrap();
        let token = first.token.expect("a new client gets a token").to_owned();
        assert!(token.len() == 16 && !token.contains(NAMES[first.place]));
        for _ in 0..10 {
            assert_eq!(sticky.pick(Some(&token), &[], |_| true), Some(Stuck { place: first.place, token: None }));
        }
        let restarted = self::sticky();
        assert_eq!(restarted.pick(Some(&token), &[], |_| true).unwrap().place, first.place);
    }

    #[test]
    fn a_target_that_is_gone_is_replaced_with_a_new_token() {
        let sticky = sticky();
        let gone = sticky.pick(None, &[], |_| true).unwrap();
        sticky.picker().set_available(gone.place, false);
        let next = sticky.pick(gone.token, &[], |place| place != gone.place).unwrap();
        assert_ne!(next.place, gone.place);
        assert_eq!(next.token, Some(token(NAMES[next.place])).as_deref());
        assert!(sticky.pick(Some("nonsense"), &[], |_| true).unwrap().token.is_some());
    }

    #[test]
    fn a_retry_goes_elsewhere() {
        let sticky = sticky();
        let first = sticky.pick(None, &[], |_| true).unwrap();
        let retry = sticky.pick(first.token, &[first.place], |_| true).unwrap();
        assert_ne!(retry.place, first.place);
    }
}
