//! Each field of each plugin takes what it should, and refuses the rest in Kong's words: the table in `fields.txt`.
//!
//! A field that is not in the table fails the test, so that whoever adds one says what may be written into it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use towergate_core::Env;
use towergate_gateway::{Bundled, PluginSet};
use towergate_runtime::PluginKind;
use towergate_schema::{Field, Kind, Record, fields};

/// What is said of one field: values that are taken, values that are refused with what is said about them.
struct Row {
    path: String,
    good: Vec<Value>,
    bad: Vec<(Value, Value)>,
    /// What else must be written for them.
    with: Value,
}

/// The rows of one plugin, and what every configuration of it must say.
#[derive(Default)]
struct Section {
    rows: Vec<Row>,
    with: Value,
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The parts of a cell, which may be empty.
fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(" ; ").map(str::trim).filter(|part| !part.is_empty())
}

fn row(line: &str, prefix: &str) -> Row {
    let cells: Vec<_> = line.split(" | ").collect();
    let [path, good, bad, with @ ..] = &cells[..] else { panic!("path | good | bad: {line}") };
    let words = |text: &str| if text.starts_with(['[', '{']) { parsed(text) } else { json!(text) };
    let refused = |part: &str| {
        let (value, said) = part.split_once(" -> ").unwrap_or_else(|| panic!("value -> words: {part}"));
        (parsed(value), words(said))
    };
    Row {
        path: format!("{prefix}{}", path.trim()),
        good: parts(good).map(parsed).collect(),
        bad: parts(bad).map(refused).collect(),
        with: with.first().map_or(json!({}), |with| parsed(with)),
    }
}

/// The table: sections of lines, and sections in parentheses that others take in below one of their fields.
fn table() -> BTreeMap<String, Section> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plugin_pages/fields.txt")).unwrap();
    let lines = || text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let shared = |name: &str| {
        let inside = lines().skip_while(move |line| *line != name).skip(1);
        inside.take_while(|line| !line.starts_with(['[', '('])).collect::<Vec<_>>()
    };
    let mut table = BTreeMap::<String, Section>::new();
    let mut current = String::new();
    for line in lines() {
        if line.starts_with('(') {
            current.clear();
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            current = name.to_owned();
            table.entry(current.clone()).or_default().with = json!({});
        } else if let Some(section) = table.get_mut(&current) {
            if let Some(with) = line.strip_prefix("with ") {
                section.with = parsed(with);
            } else if let Some((field, name)) = line.split_once(" is ") {
                section.rows.extend(shared(name).into_iter().map(|line| row(line, &format!("{field}."))));
            } else {
                section.rows.push(row(line, ""));
            }
        }
    }
    table
}

/// The paths of all fields, but for records, which have fields of their own.
fn leaves(record: &Record, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, field) in record.fields() {
        leaf(field, format!("{prefix}{name}"), found);
    }
}

fn leaf(field: &Field, path: String, found: &mut BTreeSet<String>) {
    match &field.kind {
        Kind::Record(record) => leaves(record, &format!("{path}."), found),
        Kind::Array(element) | Kind::Set(element) if element.as_record().is_some() => {
            leaf(element, format!("{path}[]"), found);
            found.insert(path);
        }
        Kind::Map(_, element) if element.as_record().is_some() => {
            leaf(element, format!("{path}.*"), found);
            found.insert(path);
        }
        _ => drop(found.insert(path)),
    }
}

/// Puts a value at a path; of a list it is the first element, of a map the key `a`.
fn put(place: &mut Value, path: &str, value: &Value) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, is_list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
    let mut inner = &mut place[if name == "*" { "a" } else { name }];
    if is_list {
        if !inner.is_array() {
            *inner = json!([{}]);
        }
        inner = &mut inner[0];
    }
    if rest.is_empty() { *inner = value.clone() } else { put(inner, rest, value) }
}

/// What stands at a path.
fn at<'a>(place: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(place, |place, step| match step.strip_suffix("[]") {
        Some(name) => &place[name][0],
        None => &place[if step == "*" { "a" } else { step }],
    })
}

/// The completed configuration, and what is wrong with it: in the configuration, or between its fields.
fn complete(kind: &PluginKind, config: Value) -> (Value, Value) {
    let entity = Record::new().field("config", Field::any()).specialise("config", kind.schema.config.clone());
    let mut written = json!({ "config": config });
    let problems = entity.complete(&mut written);
    (written["config"].take(), fields(&problems))
}

/// The configuration that says this of one field, and of the others what it must.
fn config(section: &Section, row: &Row, value: Option<&Value>) -> Value {
    let mut config = section.with.clone();
    for (name, value) in row.with.as_object().into_iter().flatten() {
        config[name] = value.clone();
    }
    if let Some(value) = value {
        put(&mut config, &row.path, value);
    }
    config
}

/// What is not as the table says.
fn wrong(kind: &PluginKind, section: &Section) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in &section.rows {
        let field = format!("{} {}", kind.name, row.path);
        let (without, _) = complete(kind, config(section, row, None));
        for value in &row.good {
            let (done, problems) = complete(kind, config(section, row, Some(value)));
            if problems != json!({}) {
                wrong.push(format!("{field}: {value} is refused: {problems}"));
            } else if at(&done, &row.path) == at(&without, &row.path) {
                wrong.push(format!("{field}: {value} makes no difference"));
            } else if let Err(error) = kind.build(done, &Env::default()) {
                wrong.push(format!("{field}: {value}: {error}"));
            }
        }
        for (value, expected) in &row.bad {
            let (_, problems) = complete(kind, config(section, row, Some(value)));
            // What is wrong with a value of a map, Kong tells of the map.
            if at(&problems["config"], &row.path.replace(".*", "")) != expected {
                wrong.push(format!("{field}: {value} should be told {expected}, is {problems}"));
            }
        }
        if row.good.is_empty() || row.bad.is_empty() {
            wrong.push(format!("{field}: neither good nor bad values may be left out"));
        }
    }
    wrong
}

#[test]
fn every_field_takes_what_it_should_and_refuses_the_rest_in_kongs_words() {
    let mut table = table();
    let mut problems = Vec::new();
    for kind in Bundled.registry().kinds() {
        let section = table.remove(kind.name).unwrap_or_default();
        let mut fields = BTreeSet::new();
        leaves(&kind.schema.config, "", &mut fields);
        let told: BTreeSet<_> = section.rows.iter().map(|row| row.path.clone()).collect();
        let untold = fields.difference(&told).map(|path| format!("{} {path}: not in fields.txt", kind.name));
        problems.extend(untold);
        problems.extend(told.difference(&fields).map(|path| format!("{} {path}: there is no such field", kind.name)));
        problems.extend(wrong(kind, &section));
    }
    problems.extend(table.keys().map(|name| format!("{name}: there is no such plugin")));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
