//! Texts of configuration and where they come from: one file, a directory of files, or an API body.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::document::Format;

/// A text of configuration and the name to call it by in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// A path, or whatever tells the reader where the text came from. Its ending decides whether
    /// the text is read as JSON (`.json`) or YAML (`.yml`, `.yaml`).
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    pub(crate) fn format(&self) -> Format {
        match Path::new(&self.name).extension().and_then(|ending| ending.to_str()) {
            Some("json") => Format::Json,
            Some("yml" | "yaml") => Format::Yaml,
            _ => Format::Unknown,
        }
    }
}

/// Reads a configuration from `path`: one `.yml`, `.yaml` or `.json` file, or a directory of them.
///
/// A directory is searched to any depth; hidden files and folders are left out; files come in the
/// order of their paths.
///
/// # Errors
/// [`ReadError`] when something cannot be read, is not UTF-8, has another ending, or when a
/// directory holds no configuration at all.
pub fn read(path: &Path) -> Result<Vec<Source>, ReadError> {
    let about = |problem: String| ReadError { path: path.to_owned(), problem };
    let kind = std::fs::metadata(path).map_err(|error| about(error.to_string()))?;
    if !kind.is_dir() {
        if !is_configuration(path) {
            // Kong's words.
            return Err(about(format!("unknown file type: {}. (Accepted types: json, yaml)", path.display())));
        }
        return Ok(vec![read_file(path)?]);
    }
    let mut files = Vec::new();
    collect(path, 0, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(about("no file ending in .yml, .yaml or .json in this directory".to_owned()));
    }
    files.iter().map(|file| read_file(file)).collect()
}

/// Why a configuration could not be read from disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    path: PathBuf,
    problem: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for ReadError {}

/// Deeper than anyone nests on purpose; links that lead back up end here.
const DEEPEST: usize = 16;

fn collect(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let about = |error: std::io::Error| ReadError { path: directory.to_owned(), problem: error.to_string() };
    if depth > DEEPEST {
        let problem = format!("more than {DEEPEST} directories deep");
        return Err(ReadError { path: directory.to_owned(), problem });
    }
    for entry in std::fs::read_dir(directory).map_err(about)? {
        let path = entry.map_err(about)?.path();
        // Kubernetes mounts a ConfigMap as links into a hidden folder: the links are read, the
        // folder behind them is not.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, depth.saturating_add(1), files)?;
        } else if is_configuration(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_configuration(path: &Path) -> bool {
    matches!(path.extension().and_then(|ending| ending.to_str()), Some("yml" | "yaml" | "json"))
}

pub(crate) fn read_file(path: &Path) -> Result<Source, ReadError> {
    let about = |problem: String| ReadError { path: path.to_owned(), problem };
    let bytes = std::fs::read(path).map_err(|error| about(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        about(format!("not UTF-8 text (byte {})", error.utf8_error().valid_up_to().saturating_add(1)))
    })?;
    Ok(Source::new(path.display().to_string(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_recursively_in_path_order() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        };
        for name in ["b.yaml", "a/z.json", "a/a.yml", "notes.txt", ".hidden.yml", "..data/x.yml"] {
            write(name);
        }
        let texts: Vec<_> = read(directory.path()).unwrap().into_iter().map(|source| source.text).collect();
        assert_eq!(texts, ["a/a.yml", "a/z.json", "b.yaml"]);
    }

    #[test]
    fn what_is_no_configuration_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kong.conf");
        std::fs::write(&file, "x").unwrap();
        let refusal = read(&file).unwrap_err().to_string();
        assert_eq!(refusal, format!("{0}: unknown file type: {0}. (Accepted types: json, yaml)", file.display()));
        assert!(
            read(directory.path())
                .unwrap_err()
                .to_string()
                .ends_with("no file ending in .yml, .yaml or .json in this directory")
        );
        assert!(read(&directory.path().join("missing.yml")).is_err());
    }
}
