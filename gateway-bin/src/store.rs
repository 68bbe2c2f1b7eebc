//! Where the configuration is kept, by the settings.

use std::sync::Arc;

use towergate_config::{Settings, settings::Origin};
use towergate_store::{Off, Store};

/// The file of the last configuration, in the prefix.
const KEPT: &str = "configuration.json";

/// Opens the store that the settings name.
///
/// # Errors
/// What keeps it from being used, and what would help.
pub(crate) fn open(settings: &Settings) -> Result<Arc<dyn Store>, String> {
    Ok(Arc::new(off(settings)?))
}

/// As with the pid file, nothing is kept when the prefix is the default one and it may not be made.
fn off(settings: &Settings) -> Result<Off, String> {
    let made = std::fs::create_dir_all(&settings.prefix).and_then(|()| tempfile::tempfile_in(&settings.prefix));
    match made {
        Ok(_) => Off::open(settings.prefix.join(KEPT)).map_err(|error| error.to_string()),
        Err(_) if settings.origin("prefix") == Origin::Default => Ok(Off::in_memory()),
        Err(error) => {
            let folder = settings.prefix.display();
            Err(format!("cannot write to {folder}: {error}; choose another folder with --prefix"))
        }
    }
}
