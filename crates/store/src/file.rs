//! A snapshot in a file of JSON, written so that a crash at any moment leaves the old or the new one.

use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use towergate_config::Kind;

use crate::{Entity, Seal, Snapshot, StoreError, Version};

/// The form of the file. A file of another form is refused.
const FORM: u64 = 1;

/// Where a snapshot is kept, and how its secrets are.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) seal: Seal,
}

impl File {
    /// What the file holds; `None` if there is none.
    pub(crate) fn read(&self) -> Result<Option<Snapshot>, StoreError> {
        let doing = format!("cannot read the configuration kept in {}", self.path.display());
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::failed(doing, error)),
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| StoreError::failed(&doing, error))?;
        let (mut snapshot, key) = snapshot(value).ok_or_else(|| {
            StoreError::failed(doing, "it is not in the form that this version of the gateway writes")
        })?;
        for entity in &mut snapshot.entities {
            self.seal.open(entity.kind, entity.id, key.as_deref(), &mut entity.value)?;
        }
        Ok(Some(snapshot))
    }

    /// Puts the snapshot in the place of the one before. It may hold secrets: only its owner may read it.
    pub(crate) fn write(&self, mut snapshot: Snapshot) -> Result<(), StoreError> {
        for entity in &mut snapshot.entities {
            self.seal.close(entity.kind, entity.id, &mut entity.value)?;
        }
        replace(&self.path, &document(snapshot, self.seal.key())).map_err(|error| {
            StoreError::failed(format!("cannot keep the configuration in {}", self.path.display()), error)
        })
    }
}

/// The snapshot, its secrets still encrypted, and the name of the key that opens them.
fn snapshot(mut value: Value) -> Option<(Snapshot, Option<String>)> {
    value.get("form").filter(|form| form.as_u64() == Some(FORM))?;
    let version = Version(value.get("version")?.as_u64()?);
    let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (hash, key) = (text("hash"), text("key"));
    let mut entities = Vec::new();
    for kind in Kind::ALL {
        let all = value.get_mut("entities")?.get_mut(kind.name()).and_then(Value::as_array_mut);
        for value in all.into_iter().flatten().map(Value::take) {
            let id = value.get("id")?.as_str()?.parse().ok()?;
            entities.push(Entity { kind, id, value });
        }
    }
    Some((Snapshot { version, hash, entities }, key))
}

fn document(snapshot: Snapshot, key: Option<&str>) -> Value {
    let Snapshot { version, hash, entities } = snapshot;
    let mut by_kind = Map::new();
    for entity in entities {
        let all = by_kind.entry(entity.kind.name()).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(entity.value);
        }
    }
    json!({ "form": FORM, "version": version.0, "hash": hash, "key": key, "entities": by_kind })
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
