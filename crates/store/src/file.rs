//! A snapshot in a file of JSON, written so that a crash at any moment leaves the old or the new one.

use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::Path,
};

use serde_json::{Map, Value, json};
use towergate_config::Kind;

use crate::{Entity, Snapshot, StoreError, Version};

/// The form of the file. A file of a later form is refused.
const FORM: u64 = 1;

/// What the file holds; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Snapshot>, StoreError> {
    let doing = format!("cannot read the configuration kept in {}", path.display());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::failed(doing, error)),
    };
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| StoreError::failed(&doing, error))?;
    match snapshot(value) {
        Some(snapshot) => Ok(Some(snapshot)),
        None => Err(StoreError::failed(doing, "it is not in the form this version of the gateway writes")),
    }
}

fn snapshot(mut value: Value) -> Option<Snapshot> {
    value.get("form").filter(|form| form.as_u64() == Some(FORM))?;
    let version = Version(value.get("version")?.as_u64()?);
    let hash = value.get("hash").and_then(Value::as_str).map(str::to_owned);
    let mut entities = Vec::new();
    for kind in Kind::ALL {
        let all = value.get_mut("entities")?.get_mut(kind.name()).and_then(Value::as_array_mut);
        for value in all.into_iter().flatten().map(Value::take) {
            let id = value.get("id")?.as_str()?.parse().ok()?;
            entities.push(Entity { kind, id, value });
        }
    }
    Some(Snapshot { version, hash, entities })
}

/// Puts the snapshot in the place of the one before. It may hold secrets: only its owner may read it.
pub(crate) fn write(path: &Path, snapshot: &Snapshot) -> Result<(), StoreError> {
    replace(path, &document(snapshot))
        .map_err(|error| StoreError::failed(format!("cannot keep the configuration in {}", path.display()), error))
}

fn document(snapshot: &Snapshot) -> Value {
    let mut entities = Map::new();
    for entity in &snapshot.entities {
        let all = entities.entry(entity.kind.name()).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(entity.value.clone());
        }
    }
    json!({ "form": FORM, "version": snapshot.version.0, "hash": snapshot.hash, "entities": entities })
}

/// Written beside, on the disk before it gets the name, and the name on the disk before this answers.
fn replace(path: &Path, document: &Value) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = BufWriter::new(tempfile::NamedTempFile::new_in(folder)?);
    serde_json::to_writer(&mut beside, document)?;
    beside.flush()?;
    let beside = beside.into_inner().map_err(io::IntoInnerError::into_error)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}
