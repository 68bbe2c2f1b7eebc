//! Where settings and declarative configuration are read from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use towergate_config::{Environment, Settings, Source, read};

use crate::cli;

/// The file name that means standard input.
const STANDARD_INPUT: &str = "-";

/// The settings, and the files and folders of the declarative configuration.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The settings.
    pub(crate) settings: Settings,
    /// Files and folders, read again on a reload; empty without any.
    pub(crate) files: Vec<PathBuf>,
    /// Where both come from.
    source: cli::Source,
    variables: Vec<(String, String)>,
}

/// What whoever asks for a reload has beside what the gateway was started with, and over it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Beside {
    /// Another settings file.
    pub(crate) conf: Option<PathBuf>,
    /// `KONG_*` variables.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Sources {
    /// Reads the settings that the command line points to, with these variables over the file and
    /// the command line over both.
    ///
    /// # Errors
    /// All problems of the settings, or the file that cannot be read.
    pub(crate) fn read(
        source: &cli::Source,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, String> {
        let given: Vec<_> = variables.into_iter().collect();
        let prefix =
            source.settings.prefix.as_ref().map(|prefix| ("KONG_PREFIX".to_owned(), prefix.display().to_string()));
        let environment: Environment = given.iter().cloned().chain(prefix).collect();
        let (confs, files): (Vec<_>, Vec<_>) = source.files.iter().cloned().partition(|file| is_conf(file));
        let conf = source.settings.conf.as_ref().or(confs.first());
        let file = Settings::read_file(conf.map(PathBuf::as_path)).map_err(|error| error.to_string())?;
        let settings = Settings::load(file.as_ref(), &environment).map_err(|problems| problems.to_string())?;
        let files = if files.is_empty() { settings.declarative_config.clone() } else { files };
        Ok(Self { settings, files, source: source.clone(), variables: given })
    }

    /// Reads all of it again, and what is beside it.
    ///
    /// # Errors
    /// As [`Sources::read`].
    pub(crate) fn again(&self, beside: &Beside) -> Result<Self, String> {
        let mut source = self.source.clone();
        source.settings.conf = beside.conf.clone().or(source.settings.conf);
        let own = self.variables.iter().filter(|(name, _)| !beside.variables.contains_key(name)).cloned();
        let more = beside.variables.clone();
        Self::read(&source, own.chain(more))
    }

    /// Whether there is a declarative configuration.
    pub(crate) fn has_declarative(&self) -> bool {
        !self.files.is_empty() || self.settings.declarative_config_string.is_some()
    }

    /// The declarative configuration: the files, else the text in the settings, else none.
    ///
    /// # Errors
    /// The file or folder that cannot be read, and why.
    pub(crate) fn declarative(&self) -> Result<Option<Vec<Source>>, String> {
        if !self.files.is_empty() {
            let mut sources = Vec::new();
            for file in &self.files {
                match file.to_str() {
                    Some(STANDARD_INPUT) => sources.push(standard_input()?),
                    _ => sources.extend(read(file).map_err(|error| error.to_string())?),
                }
            }
            return Ok(Some(sources));
        }
        let text = self.settings.declarative_config_string.as_ref();
        Ok(text.map(|text| vec![Source::new("declarative_config_string", text)]))
    }
}

impl Beside {
    /// What this process has. The prefix is no question: the gateway that runs there is asked.
    pub(crate) fn of_this_process(conf: Option<&Path>) -> Self {
        let is_setting = |name: &String| name.starts_with("KONG_") && name != "KONG_PREFIX";
        let variables = variables().filter(|(name, _)| is_setting(name)).collect();
        Self { conf: conf.and_then(|conf| std::path::absolute(conf).ok()), variables }
    }
}

/// The variables of this process's environment; what is not Unicode is left out.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn standard_input() -> Result<Source, String> {
    let text = std::io::read_to_string(std::io::stdin().lock());
    text.map(|text| Source::new("standard input", &text))
        .map_err(|error| format!("cannot read standard input: {error}"))
}

fn is_conf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "conf")
}
