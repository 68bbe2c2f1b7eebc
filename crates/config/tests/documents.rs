//! Text to tree: what is read, what is refused, and where.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use towergate_config::document::{Node, Position, parse};
use towergate_config::{Limits, Source};

fn yaml(text: &str) -> Result<Node, String> {
    parse(&Source::new("kong.yml", text), &Limits::default()).map_err(|error| error.to_string())
}

fn json_text(text: &str) -> Result<Node, String> {
    parse(&Source::new("kong.json", text), &Limits::default()).map_err(|error| error.to_string())
}

#[test]
fn yaml_reads_as_kong_reads_it() {
    for (text, expected) in [
        ("", json!(null)),
        ("a: 1\nb: [x, 'yes', yes, \"0755\", 0755]", json!({"a": 1, "b": ["x", "yes", true, "0755", 493]})),
        ("a: !!str 12\nb: |\n  two\n  lines\n", json!({"a": "12", "b": "two\nlines\n"})),
        (
            "base: &base {x: 1, y: 2}\nuse: {<<: *base, y: 3}",
            json!({"base": {"x": 1, "y": 2}, "use": {"y": 3, "x": 1}}),
        ),
        ("use: {<<: [{x: 1}, {x: 2, z: 3}]}", json!({"use": {"x": 1, "z": 3}})),
        ("404: x\non: y", json!({"404": "x", "on": "y"})),
        ("--- \na: 1\n...\n---\n", json!({"a": 1})),
        ("a:\n- b\n- c: ~\n", json!({"a": ["b", {"c": null}]})),
    ] {
        assert_eq!(yaml(text).unwrap().to_json(), expected, "{text:?}");
    }
}

#[test]
fn yaml_that_is_refused() {
    for (text, refusal) in [
        ("a: 1\nb: 2\na: 3", "3:1: duplicate key 'a' (the first one is in line 1)"),
        ("a: 1\n---\nb: 2", "3:1: a second YAML document begins here; put everything into one"),
        ("a: &x [1, *x]", "1:11: this alias stands inside the value it refers to"),
        ("<<: 5", "1:5: '<<' takes a mapping or a list of mappings"),
        ("a: !!int many", "1:10: 'many' is not a value of type !!int"),
        ("? [a]\n: b", "1:3: a key must be a plain text, not a list or a mapping"),
    ] {
        assert_eq!(yaml(text).unwrap_err(), refusal, "{text:?}");
    }
    let refusal = yaml("a: [1, 2\nb: 3").unwrap_err();
    assert!(refusal.starts_with("2:") || refusal.starts_with("1:"), "{refusal}");
}

#[test]
fn json_reads_exactly_as_json() {
    for (text, expected) in [
        (r#"{"a": "\ud83d\ude00 \/ \u0041 \n"}"#, json!({"a": "😀 / A \n"})),
        (r#"["yes", 1.0, -0.5, 1e2, null, true]"#, json!(["yes", 1, -0.5, 100, null, true])),
        ("\u{feff}[ ]", json!([])),
    ] {
        assert_eq!(json_text(text).unwrap().to_json(), expected, "{text:?}");
    }
    for (text, refusal) in [
        (r#"{"a": 1, "a": 2}"#, "1:10: duplicate key 'a' (the first one is in line 1)"),
        ("{\n  \"a\": yes\n}", "2:8: expected a value of JSON"),
        (r#"["\ud83d"]"#, "1:3: not a character: \\u takes four hexadecimal digits, and surrogates come in pairs"),
        ("[1,]", "1:4: expected a value of JSON"),
        ("[01]", "1:2: '01' is not a number of JSON"),
        ("[1] x", "1:5: something follows after the end of the JSON value"),
        ("{a: 1}", "1:2: expected a key in double quotes"),
        ("{\"a\": \"x", "1:9: the text ends inside double quotes"),
    ] {
        assert_eq!(json_text(text).unwrap_err(), refusal, "{text:?}");
    }
}

#[test]
fn without_a_file_name_json_is_tried_first_and_yaml_next() {
    let read = |text: &str| parse(&Source::new("body", text), &Limits::default()).unwrap().to_json();
    assert_eq!(read(r#"{"a": "\ud83d\ude00"}"#), json!({"a": "😀"}));
    assert_eq!(read("{a: yes}"), json!({"a": true}));
    assert_eq!(read("a: yes"), json!({"a": true}));
}

#[test]
fn every_key_and_value_knows_its_place() {
    let tree = yaml("services:\n  - name: ä1\n    host: x\n").unwrap();
    let service = &tree.field("services").unwrap().as_list().unwrap()[0];
    let (key, value) = service.entry("host").unwrap();
    assert_eq!((key.at, value.at), (Position { line: 3, column: 5 }, Position { line: 3, column: 11 }));
    let tree = json_text("{\"ä\": 1, \"b\": [2,\n 3]}").unwrap();
    let (key, list) = tree.entry("b").unwrap();
    assert_eq!((key.at, list.at), (Position { line: 1, column: 10 }, Position { line: 1, column: 15 }));
    assert_eq!(list.as_list().unwrap()[1].at, Position { line: 2, column: 2 });
}

/// Ten anchors, each holding nine of the one before: a few hundred bytes that ask for three and a
/// half billion values. It keeps a worker of Kong busy for more than twenty seconds.
#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        let nine = vec![format!("*{before}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{nine}]\n"));
    }
    let started = Instant::now();
    let refusal = yaml(&bomb).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(refusal.ends_with("expand to far more values than it has itself; write the values out"), "{refusal}");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(yaml(&deep).unwrap_err(), "1:65: nested more than 64 levels deep");
    assert_eq!(json_text(&deep).unwrap_err(), "1:65: nested more than 64 levels deep");
    let very_deep = "[".repeat(1_000_000);
    assert!(yaml(&very_deep).is_err() && json_text(&very_deep).is_err());
    let small = Limits { max_bytes: 10, ..Limits::default() };
    let refusal = parse(&Source::new("x.yml", "a: 12345678"), &small).unwrap_err();
    assert_eq!(refusal.to_string(), "1:1: the text has 11 bytes, more than the 10 allowed");
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC*|[\\[\\]{}:,&*!|>'\"%@`#\\- a0\n\t\\\\u]*") {
        let _ = yaml(&text);
        let _ = json_text(&text);
    }
}
