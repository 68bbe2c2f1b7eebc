//! Header lines exactly as they came over the wire.

/// Header lines in order, with their case and their duplicates. Bytes above 127 appear as the Latin-1 character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes the lines of a head after its first line.
    ///
    /// # Panics
    /// On a line without a colon.
    pub(crate) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        Self(lines.map(parse_line).collect())
    }

    /// The fields of an HTTP/2 message.
    pub(crate) fn of(fields: &http::HeaderMap) -> Self {
        let text = |value: &http::HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        Self(fields.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    /// All values of a header, one per line, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// The value of a header that is there once or not at all.
    ///
    /// # Panics
    /// When several lines have this name.
    #[track_caller]
    pub fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "header {name} came {} times: {all:?}", all.len());
        all.first().copied()
    }

    /// Whether a header is there.
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// All lines as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All names as written on the wire, one per line.
    pub fn names(&self) -> Vec<&str> {
        self.iter().map(|(name, _)| name).collect()
    }
}

fn parse_line(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("header line without a colon: {line:?}"));
    (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
}
