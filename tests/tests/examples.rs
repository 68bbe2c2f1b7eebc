//! The guide's configuration that is shipped: the file and the tree of files are the same, and load.

use std::path::PathBuf;

use serde_json::Value;
use towergate_tests::{Gateway, Request, run};

fn example(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/kong-guide")).join(name)
}

#[test]
fn the_guides_configuration_is_valid_as_a_file_and_as_a_tree() {
    for name in ["kong.yml", "config"] {
        let path = example(name);
        let output = run(&["check", path.to_str().expect("a path in Unicode")]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        // What is switched on does what it says: warnings are about what is switched off or comes later.
        for line in said.lines().filter(|line| line.contains("kong-guide")) {
            assert!(
                line.contains("because it is disabled")
                    || line.contains("comes with a later version")
                    || line.contains("come with a later version")
                    || line.contains("always fires"),
                "{name}: {line}"
            );
        }
    }
}

/// The entities of a running gateway by kind and id, without the times of loading.
fn entities(path: PathBuf) -> Value {
    let gateway = Gateway::with("_format_version: \"3.0\"\n")
        .setting("declarative_config", path.to_str().expect("a path in Unicode"))
        .start();
    let config = gateway.ask_admin(&Request::get("/config")).json()["config"].clone();
    let answer = gateway.post_document(config.as_str().expect("text"));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let mut entities = answer.json();
    for entity in entities.as_object_mut().expect("kinds").values_mut().flat_map(|kind| kind.as_object_mut()).flatten()
    {
        let fields = entity.1.as_object_mut().expect("an entity");
        fields.remove("created_at");
        fields.remove("updated_at");
    }
    entities
}

#[test]
fn the_file_and_the_tree_are_the_same_configuration() {
    let (file, tree) = (entities(example("kong.yml")), entities(example("config")));
    assert_eq!(file["services"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(file, tree);
}
