//! References to secrets: `{vault://env/NAME}`, and where they lead.
//!
//! A configuration names a secret instead of holding it. What is kept and shown is always the
//! reference; only the place that uses the secret sees its value. This version knows the vault
//! `env`, the environment of the process.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

/// The variables secrets are looked up in.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not Unicode are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the variable `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Whether `text` is meant as a reference: `{vault://…}`.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

/// The secret that `reference` leads to.
///
/// The grammar is `{vault://<vault>/<name>[/<json key>][?prefix=<text>]}`. The vault `env` takes the
/// name in upper case with `-` as `_`; with a JSON key the variable holds a JSON object.
///
/// # Errors
/// A message that tells what is wrong: not a reference, no such vault, variable or key.
pub fn resolve(reference: &str, environment: &Environment) -> Result<String, String> {
    let parsed = Reference::parse(reference).ok_or_else(|| {
        format!("not a reference: '{reference}' (the form is {{vault://env/NAME}} or {{vault://env/NAME/json-key}})")
    })?;
    parsed.resolve(environment).map_err(|why| format!("could not resolve '{reference}': {why}"))
}

#[derive(Debug, PartialEq, Eq)]
struct Reference {
    vault: String,
    name: String,
    key: Option<String>,
    prefix: String,
}

impl Reference {
    fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("{vault://")?.strip_suffix('}')?;
        let (inside, _version) = inside.split_once('#').unwrap_or((inside, ""));
        let (path, query) = inside.split_once('?').unwrap_or((inside, ""));
        let mut parts = path.split('/').map(decoded);
        let vault = parts.next().flatten().filter(|vault| !vault.is_empty())?;
        let name = parts.next().flatten().filter(|name| !name.is_empty())?;
        let key = match parts.next() {
            Some(key) => Some(key?).filter(|key| !key.is_empty()),
            None => None,
        };
        let prefix = query.split('&').find_map(|option| option.strip_prefix("prefix=")).and_then(decoded);
        parts.next().is_none().then(|| Self { vault, name, key, prefix: prefix.unwrap_or_default() })
    }

    fn resolve(&self, environment: &Environment) -> Result<String, String> {
        if self.vault != "env" {
            return Err(format!("could not find vault ({}); this version has the vault 'env' only", self.vault));
        }
        let variable = format!("{}{}", self.prefix, self.name).to_uppercase().replace('-', "_");
        let value =
            environment.value(&variable).ok_or_else(|| format!("the environment variable {variable} is not set"))?;
        match &self.key {
            None => Ok(value.to_owned()),
            Some(key) => json_field(value, key).ok_or_else(|| {
                format!("the environment variable {variable} is not a JSON object with a text under '{key}'")
            }),
        }
    }
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(Into::into)
}

fn json_field(text: &str, key: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    value.get(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_into_the_environment() {
        let environment = Environment::from_iter([
            ("REDIS_PASSWORD", "s3cret"),
            ("PG", r#"{"user": "kong", "port": 5432}"#),
            ("APP_TOKEN", "t"),
        ]);
        for (reference, expected) in [
            ("{vault://env/redis-password}", Ok("s3cret")),
            ("{vault://env/REDIS_PASSWORD}", Ok("s3cret")),
            ("{vault://env/redis-password/}", Ok("s3cret")),
            ("{vault://env/pg/user}", Ok("kong")),
            ("{vault://env/token?prefix=app_}", Ok("t")),
            ("{vault://env/pg/port}", Err("the environment variable PG is not a JSON object with a text under 'port'")),
            ("{vault://env/nothing}", Err("the environment variable NOTHING is not set")),
            ("{vault://hcv/secret}", Err("could not find vault (hcv); this version has the vault 'env' only")),
        ] {
            let expected = expected.map(str::to_owned).map_err(|why| format!("could not resolve '{reference}': {why}"));
            assert_eq!(resolve(reference, &environment), expected);
        }
        for broken in ["{vault://env}", "{vault:///x}", "{vault://env/a/b/c}"] {
            assert!(resolve(broken, &environment).unwrap_err().starts_with("not a reference"), "{broken}");
        }
    }
}
