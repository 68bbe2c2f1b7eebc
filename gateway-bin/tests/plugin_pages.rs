//! Each plugin has a page in docs/plugins, whose part about its configuration is what its schema says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::{env, fs, path::PathBuf};

use towergate_gateway::{Bundled, PluginSet};
use towergate_runtime::{Band, PluginKind};

const BEGIN: &str = "<!-- from the schema; UPDATE_DOCS=1 cargo test -p towergate-gateway --test plugin_pages -->\n";
const END: &str = "<!-- end -->\n";

fn page(kind: &PluginKind) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/plugins/{}.md", kind.name))
}

/// What the code says of a plugin.
fn generated(kind: &PluginKind) -> String {
    let schema = &*kind.schema;
    let places: Vec<_> = [
        ("everything", false),
        ("a service", schema.no_service),
        ("a route", schema.no_route),
        ("a consumer", schema.no_consumer),
        ("a consumer group", schema.no_consumer_group),
    ]
    .into_iter()
    .filter_map(|(place, forbidden)| (!forbidden).then_some(place))
    .collect();
    let band = match kind.band {
        Band::Log => "told of every request when it is over",
        Band::Outer => "sees every response",
        Band::Guard => "decides on the head of a request",
        Band::Inner => "sees what all guards let through",
    };
    format!(
        "PRIORITY {} · {band} · for {} · protocols {}\n\n{}",
        kind.priority,
        places.join(", "),
        schema.protocols.join(", "),
        schema.config.reference()
    )
}

/// The page before, inside and after the generated part.
fn parts<'a>(name: &str, text: &'a str) -> [&'a str; 3] {
    let missing = || panic!("docs/plugins/{name}.md must have the line\n{BEGIN}and later the line\n{END}");
    let (before, rest) = text.split_once(BEGIN).unwrap_or_else(missing);
    let (inside, after) = rest.split_once(END).unwrap_or_else(missing);
    [before, inside, after]
}

#[test]
fn every_plugin_has_a_page_that_says_what_its_schema_says() {
    let update = env::var_os("UPDATE_DOCS").is_some();
    for kind in Bundled.registry().kinds() {
        let (path, expected) = (page(kind), generated(kind));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(
            text.starts_with(&format!("# {}\n", kind.name)),
            "the title of {} is the plugin's name",
            path.display()
        );
        let [before, inside, after] = parts(kind.name, &text);
        if update {
            fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        } else {
            assert_eq!(inside, expected, "{} is not what the schema says; run the command in it", path.display());
        }
    }
}

#[test]
fn every_page_is_of_a_plugin() {
    let registry = Bundled.registry();
    for entry in fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(registry.has(name), "{}: there is no such plugin", path.display());
    }
}
