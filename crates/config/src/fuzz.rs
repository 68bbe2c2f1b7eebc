//! The entry of the fuzz target: whatever comes in, an answer goes out.

use std::collections::HashMap;

use towergate_schema::{Field, Record};

use crate::settings::{Protocol, Settings, parse_listeners};
use crate::vault::Environment;
use crate::{Options, PluginSchema, Source, parse_with};

/// Reads `bytes` as everything this crate reads: YAML, JSON, kong.conf, listeners. What loads is
/// written out and must load again.
///
/// # Panics
/// When there is a fault in this crate, which is what fuzzing is for.
#[doc(hidden)]
pub fn fuzz_entry(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let config = Record::new().field("a", Field::string().nullable().referenceable());
    let catalog = HashMap::from([("p".to_owned(), PluginSchema::new(config))]);
    let options = Options { limits: crate::Limits::default(), environment: Environment::default(), now: 1 };
    for name in ["a.yml", "a.json", "body"] {
        match parse_with(vec![Source::new(name, text.clone())], &catalog, &options) {
            Err(report) => drop((report.to_string(), report.body(true).to_string())),
            Ok(loaded) => {
                let written = loaded.config.to_yaml();
                let again = parse_with(vec![Source::new("b.yml", written.clone())], &catalog, &options);
                assert!(again.is_ok(), "what was written does not load: {written}");
            }
        }
    }
    drop(Settings::load(Some(&Source::new("kong.conf", text.clone())), &options.environment));
    drop(parse_listeners(&text, Protocol::Http));
}
