//! Recognising references to secrets.

/// Whether a text is a reference to a secret: `{vault://env/my-secret}`.
///
/// In fields marked *referenceable* such a text stands for a value that is only known at run time,
/// so no check of the value itself applies to it.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    text.strip_prefix("{vault://").and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_reference;

    #[test]
    fn references_are_told_from_other_text() {
        for (text, expected) in [
            ("{vault://env/secret}", true),
            ("{vault://}", false),
            ("{vault://env/secret", false),
            ("vault://env/secret", false),
            ("", false),
        ] {
            assert_eq!(is_reference(text), expected, "{text}");
        }
    }
}
