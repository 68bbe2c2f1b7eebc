//! Fields that the operator adds to entries (`custom_fields_by_lua`).

use std::{borrow::Cow, collections::BTreeMap};

use http::HeaderName;
use serde_json::{Map, Value};
use towergate_core::{Context, Ended, PluginError};
use towergate_schema::Field;

use super::redact::{REDACTED, Redact, arguments};

/// Fields by name, each with what Kong runs as Lua. Lua is not run here: what can be said without it is
/// understood, and everything else is refused when the configuration is read.
///
/// * `return "text"`, a number, `true`, `false`; `return nil` takes the field out;
/// * `return kong.request.get_header("x-team")` and the like, see [`Lookup`];
/// * a template: `team-$(headers.x-team)`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CustomFields(Vec<(Vec<String>, Source)>);

/// The field `custom_fields_by_lua` of a configuration.
pub(crate) fn custom_fields() -> Field {
    Field::map(Field::string().len_min(1), Field::string().len_min(1))
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, PartialEq)]
enum Source {
    Literal(Value),
    Nothing,
    Lookup(Lookup),
    Template(Vec<Piece>),
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Lookup(Lookup),
}

/// Something known of a request.
#[derive(Debug, Clone, PartialEq)]
enum Lookup {
    Header(HeaderName),
    ResponseHeader(HeaderName),
    Argument(String),
    Capture(String),
    ClientAddress,
    ConsumerId,
    ConsumerName,
    ConsumerCustomId,
    Host,
    Method,
    Path,
    Scheme,
    RequestId,
}

impl CustomFields {
    /// # Errors
    /// The field whose value would need Lua.
    pub(crate) fn new(written: Option<&BTreeMap<String, String>>) -> Result<Self, PluginError> {
        let parsed = written.into_iter().flatten().map(|(name, chunk)| {
            let fault = |message| PluginError::new(format!("custom_fields_by_lua.{name}"), message);
            Ok((path(name), Source::parse(chunk).map_err(fault)?))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Changes the entry (one JSON object) as the fields say.
    pub(crate) fn apply(&self, cx: &Context, ended: &Ended, entry: &mut Vec<u8>) {
        if self.0.is_empty() {
            return;
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(entry) else { return };
        for (path, source) in &self.0 {
            set(&mut fields, path, source.value(cx, ended));
        }
        entry.clear();
        // Writing JSON to memory does not fail.
        let _ = serde_json::to_writer(entry, &fields);
    }
}

/// `a.b` is a field inside a field; `a\.b` is not.
fn path(name: &str) -> Vec<String> {
    let mut path = vec![String::new()];
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.peek() == Some(&'.') => {
                _ = path.last_mut().zip(chars.next()).map(|(last, dot)| last.push(dot))
            }
            '.' if path.last().is_some_and(|last| !last.is_empty()) => path.push(String::new()),
            char => _ = path.last_mut().map(|last| last.push(char)),
        }
    }
    path
}

/// Sets a field, or takes it out. Where something else than an object is in the way it stays as it is.
fn set(fields: &mut Map<String, Value>, path: &[String], value: Option<Value>) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match value {
            Some(value) => _ = fields.insert(name.clone(), value),
            None => _ = fields.shift_remove(name),
        }
        return;
    }
    let inner = fields.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        set(inner, rest, value);
    }
}

impl Source {
    fn parse(chunk: &str) -> Result<Self, String> {
        let chunk = chunk.trim().trim_end_matches(';').trim_end();
        match chunk.strip_prefix("return").filter(|rest| rest.starts_with([' ', '\t', '\n', '"', '\''])) {
            Some(expression) => Self::expression(expression.trim()),
            None if chunk.contains("$(") => template(chunk).map(Self::Template),
            None => Err(needs_lua()),
        }
    }

    fn expression(text: &str) -> Result<Self, String> {
        match text {
            "nil" => return Ok(Self::Nothing),
            "true" | "false" => return Ok(Self::Literal(Value::Bool(text == "true"))),
            _ => {}
        }
        if let Some(text) = quoted(text) {
            let is_template = text.contains("$(");
            return if is_template { template(text).map(Self::Template) } else { Ok(Self::Literal(text.into())) };
        }
        match serde_json::from_str(text) {
            Ok(number @ Value::Number(_)) => Ok(Self::Literal(number)),
            _ => Lookup::call(text).map(Self::Lookup).ok_or_else(needs_lua),
        }
    }

    fn value(&self, cx: &Context, ended: &Ended) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Nothing => None,
            Self::Lookup(lookup) => lookup.value(cx, ended).map(Value::String),
            Self::Template(pieces) => {
                let texts = pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Lookup(lookup) => lookup.value(cx, ended).unwrap_or_default(),
                });
                Some(Value::String(texts.collect()))
            }
        }
    }
}

fn needs_lua() -> String {
    "this version runs no Lua here; write `return` with a text, a number, true, false or nil, or with a call \
     such as kong.request.get_header(\"x-team\"), or a template such as $(headers.x-team)"
        .to_owned()
}

/// The text inside quotes, if it is one simple Lua string.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inside.contains([quote, '\\', '\n'])).then_some(inside)
}

fn template(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("$(") {
        let (name, left) = after.split_once(')').ok_or("a template's `$(` has no `)`")?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let unknown = || {
            format!(
                "'$({name})' is not known here; there are headers.<name>, query_params.<name>, uri_captures.<name>, \
                 response_headers.<name>, consumer.id, consumer.username, consumer.custom_id, client_ip, host, method, \
                 path, scheme, request_id"
            )
        };
        pieces.push(Piece::Lookup(Lookup::named(name.trim()).ok_or_else(unknown)?));
        rest = left;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

impl Lookup {
    /// A call of Kong's plugin development kit.
    fn call(text: &str) -> Option<Self> {
        let (function, argument) = text.strip_suffix(')')?.split_once('(')?;
        let name = || quoted(argument.trim()).map(str::to_owned);
        let header = || name()?.parse().ok();
        match function.trim() {
            "kong.request.get_header" => header().map(Self::Header),
            "kong.response.get_header" => header().map(Self::ResponseHeader),
            "kong.request.get_query_arg" => name().map(Self::Argument),
            _ if !argument.trim().is_empty() => None,
            "kong.client.get_forwarded_ip" | "kong.client.get_ip" => Some(Self::ClientAddress),
            "kong.request.get_host" => Some(Self::Host),
            "kong.request.get_method" => Some(Self::Method),
            "kong.request.get_path" => Some(Self::Path),
            "kong.request.get_scheme" => Some(Self::Scheme),
            "kong.request.get_id" => Some(Self::RequestId),
            _ => None,
        }
    }

    /// What a template names.
    fn named(name: &str) -> Option<Self> {
        if let Some((group, name)) = name.split_once('.') {
            return match group {
                "headers" => name.parse().ok().map(Self::Header),
                "response_headers" => name.parse().ok().map(Self::ResponseHeader),
                "query_params" => Some(Self::Argument(name.to_owned())),
                "uri_captures" => Some(Self::Capture(name.to_owned())),
                "consumer" => match name {
                    "id" => Some(Self::ConsumerId),
                    "username" => Some(Self::ConsumerName),
                    "custom_id" => Some(Self::ConsumerCustomId),
                    _ => None,
                },
                _ => None,
            };
        }
        match name {
            "client_ip" => Some(Self::ClientAddress),
            "host" => Some(Self::Host),
            "method" => Some(Self::Method),
            "path" => Some(Self::Path),
            "scheme" => Some(Self::Scheme),
            "request_id" => Some(Self::RequestId),
            _ => None,
        }
    }

    fn value(&self, cx: &Context, ended: &Ended) -> Option<String> {
        let redact = Redact::of(cx);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Header(name) => Some(text(&redact.header(name, cx.request_headers()?.get(name)?))),
            Self::ResponseHeader(name) => Some(text(&redact.sent(name, cx.records.response()?.1.get(name)?))),
            Self::Argument(name) if redact.hides_argument(name) => Some(text(REDACTED)),
            Self::Argument(name) => {
                let mut found = arguments(ended.uri.query()?).filter(|argument| argument.name() == *name);
                found.find_map(|argument| argument.value()).map(Cow::into_owned)
            }
            Self::Capture(name) => {
                let captures = &cx.matched.captures;
                captures.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
            }
            Self::ClientAddress => cx.client.address.map(|address| address.to_string()),
            Self::ConsumerId => cx.consumer().map(|consumer| consumer.id.to_string()),
            Self::ConsumerName => cx.consumer()?.username.clone(),
            Self::ConsumerCustomId => cx.consumer()?.custom_id.clone(),
            Self::Host => Some(cx.host.clone()),
            Self::Method => Some(ended.method.to_string()),
            Self::Path => Some(ended.uri.path().to_owned()),
            Self::Scheme => Some(cx.client.scheme.as_str().to_owned()),
            Self::RequestId => Some(cx.request_id.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_no_lua_is_understood() {
        for (chunk, expected) in [
            ("return \"shop\"", Source::Literal("shop".into())),
            ("return 'shop';", Source::Literal("shop".into())),
            (" return 7 ", Source::Literal(json!(7))),
            ("return -1.5", Source::Literal(json!(-1.5))),
            ("return true", Source::Literal(json!(true))),
            ("return nil", Source::Nothing),
            (
                "return kong.request.get_header('x-team')",
                Source::Lookup(Lookup::Header(HeaderName::from_static("x-team"))),
            ),
            ("return kong.client.get_ip()", Source::Lookup(Lookup::ClientAddress)),
            ("a-$(host)", Source::Template(vec![Piece::Text("a-".into()), Piece::Lookup(Lookup::Host)])),
            ("return '$(host)!'", Source::Template(vec![Piece::Lookup(Lookup::Host), Piece::Text("!".into())])),
        ] {
            assert_eq!(Source::parse(chunk), Ok(expected), "{chunk}");
        }
    }

    #[test]
    fn what_needs_lua_is_refused_with_what_would_do() {
        for chunk in [
            "local x = 1 return x",
            "return 1 + 1",
            "return os.date()",
            "return kong.request.get_header(name)",
            "return 'a' .. 'b'",
            "returned",
            "shop",
            "return kong.request.get_host('x')",
        ] {
            let told = Source::parse(chunk).unwrap_err();
            assert!(told.starts_with("this version runs no Lua here; write `return`"), "{chunk}: {told}");
        }
        assert!(Source::parse("$(nothing.x)").unwrap_err().starts_with("'$(nothing.x)' is not known here; there are"));
        assert_eq!(Source::parse("$(host").unwrap_err(), "a template's `$(` has no `)`");
    }

    #[test]
    fn dots_lead_into_objects_unless_escaped() {
        assert_eq!(path("a.b"), ["a", "b"]);
        assert_eq!(path(r"a\.b.c"), ["a.b", "c"]);
        let Value::Object(mut fields) = json!({"a": {"x": 1, "y": 2}, "b": 3}) else { panic!() };
        set(&mut fields, &path("a.x"), Some(json!(9)));
        set(&mut fields, &path("a.y"), None);
        set(&mut fields, &path("c.d"), Some(json!("new")));
        set(&mut fields, &path("b.e"), Some(json!("lost")));
        assert_eq!(Value::Object(fields), json!({"a": {"x": 9}, "b": 3, "c": {"d": "new"}}));
    }
}
