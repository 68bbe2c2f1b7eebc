//! What serde calls a field or variant.

use syn::{Attribute, LitStr, Token, meta::ParseNestedMeta};

/// What `#[serde(…)]` says that matters here.
#[derive(Default)]
pub(crate) struct Serde {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<String>,
    pub(crate) flatten: bool,
    pub(crate) skip: bool,
}

pub(crate) fn of(attributes: &[Attribute]) -> syn::Result<Serde> {
    let mut serde = Serde::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                serde.rename = deserialized(&meta)?;
            } else if meta.path.is_ident("rename_all") {
                serde.rename_all = deserialized(&meta)?;
            } else if meta.path.is_ident("flatten") {
                serde.flatten = true;
            } else if meta.path.is_ident("skip") || meta.path.is_ident("skip_deserializing") {
                serde.skip = true;
            } else {
                ignore(&meta)?;
            }
            Ok(())
        })?;
    }
    Ok(serde)
}

/// `= "x"` or `(deserialize = "x")`.
fn deserialized(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return Ok(Some(meta.value()?.parse::<LitStr>()?.value()));
    }
    let mut name = None;
    meta.parse_nested_meta(|inner| {
        let text = inner.value()?.parse::<LitStr>()?.value();
        if inner.path.is_ident("deserialize") {
            name = Some(text);
        }
        Ok(())
    })?;
    Ok(name)
}

fn ignore(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inside;
        syn::parenthesized!(inside in meta.input);
        inside.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}

/// The words of a name written in either Rust style.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut starts = true;
    for letter in name.chars() {
        if letter == '_' {
            starts = true;
            continue;
        }
        if letter.is_uppercase() || starts {
            words.push(String::new());
        }
        starts = false;
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A name in the style `rename_all` asks for.
pub(crate) fn restyle(name: &str, style: Option<&str>) -> String {
    let words = words(name);
    match style {
        Some("lowercase") => name.to_lowercase(),
        Some("UPPERCASE") => name.to_uppercase(),
        Some("PascalCase") => words.iter().map(|word| capital(word)).collect(),
        Some("camelCase") => {
            let pascal: String = words.iter().skip(1).map(|word| capital(word)).collect();
            words.first().cloned().unwrap_or_default() + &pascal
        }
        Some("snake_case") => words.join("_"),
        Some("SCREAMING_SNAKE_CASE") => words.join("_").to_uppercase(),
        Some("kebab-case") => words.join("-"),
        Some("SCREAMING-KEBAB-CASE") => words.join("-").to_uppercase(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::restyle;

    #[test]
    fn names_follow_serde() {
        for (name, style, expected) in [
            ("RoundRobin", "kebab-case", "round-robin"),
            ("RoundRobin", "snake_case", "round_robin"),
            ("RoundRobin", "lowercase", "roundrobin"),
            ("RoundRobin", "UPPERCASE", "ROUNDROBIN"),
            ("RoundRobin", "camelCase", "roundRobin"),
            ("RoundRobin", "SCREAMING_SNAKE_CASE", "ROUND_ROBIN"),
            ("key_names", "kebab-case", "key-names"),
            ("key_names", "camelCase", "keyNames"),
            ("key_names", "PascalCase", "KeyNames"),
            ("V0", "lowercase", "v0"),
        ] {
            assert_eq!(restyle(name, Some(style)), expected, "{name} {style}");
        }
        assert_eq!(restyle("key_names", None), "key_names");
    }
}
