//! Where in a value something is.

use std::fmt;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A field of a record.
    Key(String),
    /// An element of an array or a set, counted from 0.
    Index(usize),
    /// An entry of a map. Kong reports problems of entries on the map itself, so [`crate::fields`]
    /// and [`crate::message`] leave it out; people reading the path are told which entry it was.
    Entry(String),
}

/// A place in a value, as the steps from its root: `config.limit[1]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Path(Vec<Segment>);

impl Path {
    /// The root: no steps at all.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// A path of record fields, written with dots: `redis.host`.
    #[must_use]
    pub fn dotted(names: &str) -> Self {
        names.split('.').filter(|name| !name.is_empty()).fold(Self::root(), Self::key)
    }

    /// This path, one record field deeper.
    #[must_use]
    pub fn key(mut self, name: impl Into<String>) -> Self {
        self.0.push(Segment::Key(name.into()));
        self
    }

    /// This path, one array element deeper (counted from 0).
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// This path, one map entry deeper.
    #[must_use]
    pub fn entry(mut self, name: impl Into<String>) -> Self {
        self.0.push(Segment::Entry(name.into()));
        self
    }

    /// This path followed by the steps of `rest`.
    #[must_use]
    pub fn join(mut self, rest: Self) -> Self {
        self.0.extend(rest.0);
        self
    }

    /// The steps, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `self` is `other` or lies inside it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl From<Vec<Segment>> for Path {
    fn from(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(name) | Segment::Entry(name) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(name)?;
                }
            }
        }
        Ok(())
    }
}

/// A path kept on the stack while a value is walked: nothing is allocated until a problem is found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Option<Step<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
    Entry(&'a str),
}

impl<'a> Trail<'a> {
    pub(crate) const ROOT: Trail<'static> = Trail { parent: None, step: None };

    pub(crate) fn key(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Some(Step::Key(name)) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Some(Step::Index(index)) }
    }

    pub(crate) fn entry(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Some(Step::Entry(name)) }
    }

    /// How many steps lie behind.
    pub(crate) fn depth(&self) -> usize {
        self.parent.map_or(0, |parent| parent.depth() + 1)
    }

    pub(crate) fn path(&self) -> Path {
        let mut segments = Vec::new();
        self.collect(&mut segments);
        Path(segments)
    }

    fn collect(&self, segments: &mut Vec<Segment>) {
        if let Some(parent) = self.parent {
            parent.collect(segments);
        }
        match self.step {
            Some(Step::Key(name)) => segments.push(Segment::Key(name.to_owned())),
            Some(Step::Index(index)) => segments.push(Segment::Index(index)),
            Some(Step::Entry(name)) => segments.push(Segment::Entry(name.to_owned())),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let path = Path::dotted("config.limit").index(1).key("@entity");
        assert_eq!(path.to_string(), "config.limit[1].@entity");
        assert_eq!(Path::root().key("services").index(0).key("host").to_string(), "services[0].host");
        assert_eq!(Path::root().to_string(), "");
    }

    #[test]
    fn trails_become_the_same_paths() {
        let (root, name) = (Trail::ROOT, "headers");
        let headers = root.key(name);
        let entry = headers.entry("X-A");
        let element = entry.index(2);
        assert_eq!(element.path(), Path::dotted("headers").entry("X-A").index(2));
        assert_eq!(element.depth(), 3);
    }
}
