//! Where clients send what proves who they are.

use http::HeaderName;

/// Where clients send what proves who they are, beside `Authorization`: what is not to be shown in a
/// log. The values stay where they are; these are the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Headers.
    pub headers: Vec<HeaderName>,
    /// Arguments of the query.
    pub arguments: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
}

impl Secrets {
    /// Adds headers of these names; what cannot be one is left out.
    pub fn add_headers<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.headers.extend(names.into_iter().filter_map(|name| name.parse::<HeaderName>().ok()));
    }

    /// Adds arguments of these names.
    pub fn add_arguments<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.arguments.extend(names.into_iter().map(str::to_owned));
    }

    /// Adds cookies of these names.
    pub fn add_cookies<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.cookies.extend(names.into_iter().map(str::to_owned));
    }

    /// The same with each name once.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.headers.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        self.headers.dedup();
        for names in [&mut self.arguments, &mut self.cookies] {
            names.sort();
            names.dedup();
        }
        self
    }
}
