//! The text of every setting and where it came from: defaults, then the file, then variables.

use std::collections::BTreeMap;

use super::known::{self, KNOWN};
use super::problem::{Origin, Problem};
use super::{file, value};
use crate::source::Source;
use crate::vault::{self, Environment};

/// Settings as text.
#[derive(Clone, Debug)]
pub(super) struct Gathered(BTreeMap<String, Given>);

#[derive(Clone, Debug)]
struct Given {
    text: String,
    origin: Origin,
}

impl Gathered {
    pub(super) fn gather(file: Option<&Source>, environment: &Environment, problems: &mut Vec<Problem>) -> Self {
        let mut gathered = Self(BTreeMap::new());
        for (name, text, origin) in file.map(|source| file::read(source, problems)).unwrap_or_default() {
            gathered.set(&name, &text, origin);
        }
        for (variable, text) in environment.iter() {
            if let Some(name) = variable.strip_prefix("KONG_") {
                gathered.set(&name.to_ascii_lowercase(), text, Origin::Variable(variable.to_owned()));
            }
        }
        gathered.dereference(environment, problems);
        gathered.drop_wrong(problems);
        gathered
    }

    /// An empty value unsets, as in Kong.
    fn set(&mut self, name: &str, text: &str, origin: Origin) {
        match text.trim() {
            "" => self.0.remove(name),
            text => self.0.insert(name.to_owned(), Given { text: text.to_owned(), origin }),
        };
    }

    /// Takes a setting as it is there, or not at all.
    pub(super) fn take_over(&mut self, name: &str, there: &Self) {
        match there.0.get(name) {
            Some(given) => self.0.insert(name.to_owned(), given.clone()),
            None => self.0.remove(name),
        };
    }

    fn dereference(&mut self, environment: &Environment, problems: &mut Vec<Problem>) {
        for (name, given) in &mut self.0 {
            if vault::is_reference(&given.text) {
                match vault::resolve(&given.text, environment) {
                    Ok(secret) => given.text = secret,
                    Err(why) => problems.push(Problem::new(given.origin.clone(), format!("{name}: {why}"))),
                }
            }
        }
    }

    /// Reports known settings whose value cannot be right and takes them out, so that whatever
    /// reads them next meets a default and does not report them again.
    fn drop_wrong(&mut self, problems: &mut Vec<Problem>) {
        for known in KNOWN {
            let Some(given) = self.0.get(known.name) else {
                continue;
            };
            if let Err(why) = value::check(known.name, &given.text, known.kind) {
                problems.push(Problem::new(given.origin.clone(), why));
                self.0.remove(known.name);
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(given) => Some(&given.text),
            None => known::find(name).map(|known| known.default).filter(|default| !default.is_empty()),
        }
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        self.0.get(name).map_or(Origin::Default, |given| given.origin.clone())
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = self.0.iter().map(|(name, given)| (name.as_str(), given.text.as_str()));
        let defaults = KNOWN.iter().map(|known| (known.name, known.default));
        given.chain(defaults.filter(|(name, default)| !default.is_empty() && !self.0.contains_key(*name)))
    }
}
