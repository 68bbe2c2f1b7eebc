//! Compression of responses: our settings, and the nginx directives that mean the same.

use super::resolve::Resolver;
use super::value::{list, size};

/// Compression of responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The codings on offer, the most preferred first.
    pub codings: Vec<Coding>,
    /// How much work to put into smaller bodies. Default balanced.
    pub level: Level,
    /// Bodies known to be shorter, in bytes, are left alone. Default 1024.
    pub min_length: u64,
    /// Media types, also as `text/*`, `*+json` or `*`; none for the usual kinds of text, the default.
    pub types: Vec<String>,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

/// How much work to put into smaller bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As little as possible.
    Fastest,
    /// What suits responses made while somebody waits.
    Balanced,
    /// As much as possible.
    Best,
    /// The coding's own scale.
    Exact(u8),
}

/// What `compression` says; without it, what `nginx_proxy_gzip` says.
pub(super) fn compression(from: &mut Resolver<'_>) -> Option<Compression> {
    if !from.is_given("compression") {
        return from.switch("nginx_proxy_gzip").then(|| gzip(from));
    }
    let text = from.text("compression");
    if text.trim() == "off" {
        return None;
    }
    let codings = codings(&text).unwrap_or_else(|word| {
        from.report("compression", format!("compression: unknown coding '{word}' (off, gzip, br, zstd)"));
        Vec::new()
    });
    let types = from.list("compression_types");
    check_types(from, "compression_types", &types);
    let min_length = size(&from.text("compression_min_length")).unwrap_or(1024);
    Some(Compression { codings, level: level(from), min_length, types })
}

fn codings(text: &str) -> Result<Vec<Coding>, String> {
    let coding = |word: &str| match word {
        "gzip" => Ok(Coding::Gzip),
        "br" => Ok(Coding::Brotli),
        "zstd" => Ok(Coding::Zstd),
        word => Err(word.to_owned()),
    };
    list(text).map(coding).collect()
}

fn level(from: &mut Resolver<'_>) -> Level {
    const MOST: u8 = 22;
    let name = "compression_level";
    let text = from.text(name);
    match text.as_str() {
        "fastest" => Level::Fastest,
        "balanced" => Level::Balanced,
        "best" => Level::Best,
        text => text.parse().ok().filter(|level| *level <= MOST).map(Level::Exact).unwrap_or_else(|| {
            let right = format!("fastest, balanced, best, or a number from 0 to {MOST}");
            from.report(name, format!("{name} has an invalid value: '{text}' ({right})"));
            Level::Balanced
        }),
    }
}

/// As nginx: `text/html` always, beside what is listed with spaces between.
fn gzip(from: &mut Resolver<'_>) -> Compression {
    let listed = from.text("nginx_proxy_gzip_types");
    let mut types = vec!["text/html".to_owned()];
    types.extend(listed.split_whitespace().filter(|word| *word != "text/html").map(str::to_owned));
    check_types(from, "nginx_proxy_gzip_types", &types);
    let level = from.whole("nginx_proxy_gzip_comp_level");
    if !(1..=9).contains(&level) {
        let message = format!("nginx_proxy_gzip_comp_level must be between 1 and 9, got {level}");
        from.report("nginx_proxy_gzip_comp_level", message);
    }
    Compression {
        codings: vec![Coding::Gzip],
        level: Level::Exact(u8::try_from(level).unwrap_or(9)),
        min_length: size(&from.text("nginx_proxy_gzip_min_length")).unwrap_or(20),
        types,
    }
}

fn check_types(from: &mut Resolver<'_>, name: &str, types: &[String]) {
    for bad in types.iter().filter(|text| !is_media_range(text)) {
        let message = format!("{name}: '{bad}' is no media type (as text/css, text/*, *+json or *)");
        from.report(name, message);
    }
}

fn is_media_range(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_token);
    match (text.split_once('/'), text.strip_prefix("*+")) {
        (None, Some(suffix)) => is_word(suffix),
        (None, None) => text == "*",
        (Some(("*", sub)), _) => sub == "*",
        (Some((main, sub)), _) => is_word(main) && (sub == "*" || is_word(sub)),
    }
}
