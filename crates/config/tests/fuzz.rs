//! The entry of the fuzz target on fixed and on arbitrary inputs.

use proptest::prelude::*;
use towergate_config::fuzz_entry;

const GUIDE: &str = include_str!("data/guide.yml");

#[test]
fn broken_bytes_get_an_answer() {
    for bytes in
        [&b""[..], b"\xff\xfe", b"{", b"_format_version: '3.0'", b"a: &a [*a]", b"[[[[", b"\0", b"%YAML 9.9\n---\n"]
    {
        fuzz_entry(bytes);
    }
}

/// The guide's file cut off at, and spoilt in, every few places.
#[test]
fn a_file_broken_anywhere_gets_an_answer() {
    for position in (0..GUIDE.len()).step_by(97) {
        let (before, after) = GUIDE.as_bytes().split_at(position);
        fuzz_entry(before);
        for spoilt in [&b"\""[..], b"{", b"- ", b"\n\t", b"*x", b"\xc3"] {
            fuzz_entry(&[before, spoilt, after].concat());
        }
    }
}

/// Lines that mean something, in any order and with any values.
fn lines() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "services",
        "routes",
        "plugins",
        "upstreams",
        "targets",
        "consumers",
        "certificates",
        "snis",
        "keys",
        "acls",
        "name",
        "host",
        "url",
        "paths",
        "protocols",
        "service",
        "id",
        "config",
        "tags",
        "groups",
        "target",
        "hash_on",
        "_format_version",
        "username",
        "key",
        "port",
        "headers",
        "methods",
        "enabled",
        "ttl",
        "<<",
    ]);
    let value = prop::sample::select(vec![
        "",
        "x",
        "'3.0'",
        "3.0",
        "null",
        "yes",
        "0755",
        "[x, y]",
        "[/a, ~/b(]",
        "{id: x}",
        "http://a:1/b",
        "- name: p",
        "[{name: p}]",
        "[{name: a, host: b}]",
        "-1",
        "1e400",
        "'{vault://env/x}'",
        "[[]]",
        "&a [x]",
        "*a",
        "\"\\ud83d\"",
        "|\n  text",
    ]);
    prop::collection::vec((0usize..4, any::<bool>(), key, value), 0..14).prop_map(|lines| {
        let line = |(indent, dash, key, value): (usize, bool, &str, &str)| {
            format!("{}{}{key}: {value}\n", "  ".repeat(indent), if dash { "- " } else { "" })
        };
        format!("_format_version: '3.0'\n{}", lines.into_iter().map(line).collect::<String>())
    })
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        fuzz_entry(text.as_bytes());
    }

    #[test]
    fn anything_like_a_configuration_gets_an_answer(text in lines()) {
        fuzz_entry(text.as_bytes());
    }
}
