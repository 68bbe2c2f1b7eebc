//! A snapshot in a file of JSON, written so that a crash at any moment leaves the old or the new one.

use std::{
    error::Error,
    fs,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use towergate_config::Kind;
use uuid::Uuid;

use crate::{Each, Entity, Seal, Snapshot, StoreError, Version, held::Held};

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

    /// Puts what is held in the place of what was before.
    pub(crate) fn write(&self, held: &Held) -> Result<(), StoreError> {
        self.replace(|out| {
            let mut entities = self.begin(out, held.version(), held.hash())?;
            held.entities().try_for_each(|(kind, id, value)| entities.add(kind, id, value))?;
            entities.end()
        })
    }

    /// Puts these entities in the place of what was before, one after the other.
    pub(crate) fn write_each(&self, version: Version, hash: Option<&str>, each: Each) -> Result<(), StoreError> {
        self.replace(|out| {
            let mut entities = self.begin(out, version, hash)?;
            let mut done = Ok(());
            each(&mut |entity| {
                if done.is_ok() {
                    done = entities.add(entity.kind, entity.id, &entity.value);
                }
            });
            done?;
            entities.end()
        })
    }

    /// Writes a file beside and gives it the name. It may hold secrets: only its owner may read it.
    fn replace(&self, write: impl FnOnce(&mut dyn io::Write) -> Result<(), Box<dyn Error>>) -> Result<(), StoreError> {
        let doing = || format!("cannot keep the configuration in {}", self.path.display());
        let failed = |error: io::Error| StoreError::failed(doing(), error);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let mut beside = BufWriter::new(tempfile::NamedTempFile::new_in(folder).map_err(failed)?);
        write(&mut beside).map_err(|error| StoreError::failed(doing(), error))?;
        let beside = beside.into_inner().map_err(|error| failed(error.into_error()))?;
        // On the disk before it gets the name, and the name on the disk before this answers.
        beside.as_file().sync_all().map_err(failed)?;
        beside.persist(&self.path).map_err(|error| failed(error.error))?;
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn begin<'a>(
        &'a self,
        out: &'a mut dyn io::Write,
        version: Version,
        hash: Option<&str>,
    ) -> Result<Entities<'a>, Box<dyn Error>> {
        let (version, hash, key) = (version.0, json!(hash), json!(self.seal.key()));
        write!(out, r#"{{"form":{FORM},"version":{version},"hash":{hash},"key":{key},"entities":{{"#)?;
        Ok(Entities { seal: &self.seal, out, before: None })
    }
}

/// Entities on their way into the file, those of a kind together: there may be very many, and all their
/// copies at once would take a lot of memory.
struct Entities<'a> {
    seal: &'a Seal,
    out: &'a mut dyn io::Write,
    before: Option<Kind>,
}

impl Entities<'_> {
    fn add(&mut self, kind: Kind, id: Uuid, value: &Value) -> Result<(), Box<dyn Error>> {
        match self.before.replace(kind) {
            Some(same) if same == kind => self.out.write_all(b",\n")?,
            Some(_) => write!(self.out, "],\n\"{}\":[\n", kind.name())?,
            None => write!(self.out, "\n\"{}\":[\n", kind.name())?,
        }
        match self.seal.key() {
            None => serde_json::to_writer(&mut self.out, value)?,
            Some(_) => {
                let mut closed = value.clone();
                self.seal.close(kind, id, &mut closed)?;
                serde_json::to_writer(&mut self.out, &closed)?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), Box<dyn Error>> {
        self.out.write_all(if self.before.is_some() { b"]}}\n" } else { b"}}\n" })?;
        Ok(self.out.flush()?)
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
