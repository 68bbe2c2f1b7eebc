//! The path of a request: one spelling for matching, and the one that goes upstream.
//!
//! Every part of a gateway that looks at a path must look at the same spelling, or
//! `/public/%2e%2e/admin` is one thing for the rule and another for the server behind it.
//! [`normalize`] makes that spelling once; rules are matched on it, [`upstream`] builds the new path
//! from it and [`escape`] makes it fit to be sent.

mod escape;
mod normal;
mod upstream;

pub use escape::escape;
pub(crate) use normal::decode;
pub use normal::{PathError, normalize};
pub use upstream::upstream;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_text_is_too_odd(raw in any::<String>(), service in any::<String>(), cut in any::<Option<usize>>(), strip: bool) {
            let _ = normalize(&raw);
            let _ = upstream(Some(&service), &raw, cut, strip);
            prop_assert!(escape(&raw).is_ascii());
        }
    }
}
