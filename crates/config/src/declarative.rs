//! Declarative configuration: documents in, a validated configuration or a full report out.
//!
//! The way of a configuration: texts → trees → entities lifted out of each other → ids → references
//! → defaults and checks of each entity → typed entities → what is there twice → advice.

mod certificates;
mod ids;
pub(crate) mod item;
pub(crate) mod kind;
mod migrate;
pub(crate) mod ordering;
mod plugins;
pub(crate) mod references;
mod stored;
pub(crate) mod syntax;
mod top;
mod unique;
mod validate;

use std::time::{SystemTime, UNIX_EPOCH};

use md5::{Digest as _, Md5};
use towergate_schema::Path;
use uuid::Uuid;

pub use kind::{Foreign, Kind};
pub use plugins::{Catalog, PluginLookup, PluginSchema};
pub use stored::parse_entities;

use crate::config::Config;
use crate::document::{self, Limits, Node, Position, Value};
use crate::report::Report;
use crate::source::Source;
use crate::vault::Environment;
use crate::warning::Warning;
use crate::{later, lints};
use item::Item;
use syntax::{Complaint, Complaints, Stage};

/// A configuration that was accepted.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What was accepted but will not do what it says, and what is probably a mistake.
    pub warnings: Vec<Warning>,
}

/// What loading depends on beside the configuration itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much a text may ask for.
    pub limits: Limits,
    /// Where `{vault://env/…}` leads.
    pub environment: Environment,
    /// Seconds since 1970, for `created_at` and `updated_at` where they are not given.
    pub now: i64,
}

impl Default for Options {
    /// Usual limits, the environment of the process, the clock of the system.
    fn default() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            limits: Limits::default(),
            environment: Environment::of_process(),
            now: i64::try_from(now).unwrap_or(i64::MAX),
        }
    }
}

/// Loads a configuration from texts. Several are one configuration in several files.
///
/// # Errors
/// A [`Report`] of all problems; nothing is loaded then.
pub fn parse(documents: Vec<Source>, catalog: &dyn Catalog) -> Result<Loaded, Report> {
    parse_with(documents, catalog, &Options::default())
}

/// [`parse`] with other [`Options`].
///
/// # Errors
/// A [`Report`] of all problems; nothing is loaded then.
pub fn parse_with(documents: Vec<Source>, catalog: &dyn Catalog, options: &Options) -> Result<Loaded, Report> {
    let mut complaints = Complaints::default();
    let mut trees = Vec::with_capacity(documents.len());
    for (index, source) in documents.iter().enumerate() {
        match tree(source, &options.limits, documents.len() > 1) {
            Ok(tree) => trees.push(tree),
            Err((at, message)) => complaints.push(unreadable(index, at, &message)),
        }
    }
    if !complaints.0.is_empty() {
        return Err(Report::new(&documents, &[], &[], complaints));
    }
    let hash = hash(documents.iter().map(|source| source.text.as_bytes()));
    load(&documents, &trees, hash, catalog, options)
}

/// Loads a configuration that is JSON already, such as the body of a request.
///
/// # Errors
/// A [`Report`] of all problems, without lines and columns.
pub fn parse_value(value: &serde_json::Value, catalog: &dyn Catalog) -> Result<Loaded, Report> {
    parse_value_with(value, catalog, &Options::default())
}

/// [`parse_value`] with other [`Options`].
///
/// # Errors
/// A [`Report`] of all problems, without lines and columns.
pub fn parse_value_with(value: &serde_json::Value, catalog: &dyn Catalog, options: &Options) -> Result<Loaded, Report> {
    let tree = Node::from_json(value);
    if !matches!(tree.value, Value::Map(_)) {
        let mut complaints = Complaints::default();
        complaints.push(unreadable(0, Position::default(), "expected an object"));
        return Err(Report::new(&[], &[], &[], complaints));
    }
    let hash = hash([value.to_string().as_bytes()]);
    load(&[], &[tree], hash, catalog, options)
}

/// A tree that is a mapping. One of several files may be empty.
fn tree(source: &Source, limits: &Limits, one_of_several: bool) -> Result<Node, (Position, String)> {
    let mut tree = document::parse(source, limits).map_err(|error| (error.at, error.message))?;
    if one_of_several && tree.is_null() {
        tree.value = Value::Map(Vec::new());
    }
    match tree.value {
        Value::Map(_) => Ok(tree),
        _ => Err((tree.at, "expected an object".to_owned())),
    }
}

fn unreadable(source: usize, at: Position, why: &str) -> Complaint {
    // Kong's words, with ours for what its parser would say.
    let message = format!("failed parsing declarative configuration: {why}");
    Complaint { source, at, path: Path::root(), message, hint: None, stage: Stage::Text, item: None }
}

/// The MD5 of a configuration's text in hexadecimal, as Kong tells configurations apart; of several
/// texts, of one after the other.
#[must_use]
pub fn hash<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    use std::fmt::Write as _;
    let mut md5 = Md5::new();
    for text in texts {
        md5.update(text);
    }
    md5.finalize().iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The entities of a configuration, taken apart, with their ids and the links between them.
pub(crate) struct Entities<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) ids: Vec<Uuid>,
}

impl Entities<'_> {
    /// The place of an item for people: `kong.yml:12:3`.
    pub(crate) fn place(&self, item: &Item<'_>) -> String {
        let name = self.sources.get(item.source).map_or("", |source| source.name.as_str());
        match item.node.at.line {
            0 => item::path(&self.items, item).to_string(),
            line => format!("{name}:{line}:{}", item.node.at.column),
        }
    }
}

fn load(
    sources: &[Source],
    trees: &[Node],
    hash: String,
    catalog: &dyn Catalog,
    options: &Options,
) -> Result<Loaded, Report> {
    let mut complaints = Complaints::default();
    let top = top::read(trees, &mut complaints);
    let mut items = Vec::new();
    for (source, tree) in trees.iter().enumerate() {
        item::take_apart(tree, source, &mut items, &mut complaints);
    }
    let ids = ids::assign(&items);
    let entities = Entities { sources, items, ids };
    let index = references::Index::new(&entities, &mut complaints);
    let mut warnings = later::unused_collections(sources, trees);
    let validation = validate::Validation { entities: &entities, index: &index, catalog, options, top: &top };
    let config = validation.run(hash, &mut complaints, &mut warnings);
    if !complaints.0.is_empty() {
        return Err(Report::new(sources, &entities.items, &entities.ids, complaints));
    }
    later::fields(&entities, &mut warnings);
    lints::all(&config, &entities, &index, &mut warnings);
    Ok(Loaded { config, warnings })
}

impl Entities<'_> {
    /// A warning about an entity, at `path` inside it.
    pub(crate) fn warning(&self, item: usize, path: &Path, message: impl Into<String>) -> Warning {
        let Some(item) = self.items.get(item) else {
            return Warning {
                source: String::new(),
                at: Position::default(),
                path: String::new(),
                message: message.into(),
            };
        };
        Warning {
            source: self.sources.get(item.source).map_or_else(String::new, |source| source.name.clone()),
            at: item.locate(path, false),
            path: item::path(&self.items, item).join(path.clone()).to_string(),
            message: message.into(),
        }
    }
}
