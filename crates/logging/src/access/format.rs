//! What a line says.

use towergate_core::{Context, Ended};

use super::{escape::Escape, variable::Variable};

/// What a line of an access log says: texts and nginx's variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pieces: Vec<Piece>,
    escape: Escape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Variable(Variable),
}

/// Kong's `kong_log_format`: nginx's `combined` and the request's id.
const KONG: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                    \"$http_referer\" \"$http_user_agent\" kong_request_id: \"$kong_request_id\"";

const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                        \"$http_referer\" \"$http_user_agent\"";

const BASIC: &str = "$remote_addr [$time_local] \"$request\" $status $bytes_sent $request_time";

/// What a line in JSON holds unless fields are selected.
const FIELDS: &[&str] = &[
    "time_iso8601",
    "remote_addr",
    "remote_user",
    "request_method",
    "host",
    "request_uri",
    "server_protocol",
    "status",
    "body_bytes_sent",
    "request_length",
    "request_time",
    "upstream_addr",
    "upstream_status",
    "upstream_response_time",
    "route",
    "service",
    "consumer",
    "http_referer",
    "http_user_agent",
    "kong_request_id",
];

impl Format {
    /// The format of this name: `kong_log_format` (Kong's), `combined` (nginx's), `basic`, or `json`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "kong_log_format" => Self::text(KONG).ok(),
            "combined" => Self::text(COMBINED).ok(),
            "basic" => Self::text(BASIC).ok(),
            "json" => Self::json(FIELDS.iter().copied()).ok(),
            _ => None,
        }
    }

    /// A line as nginx's `log_format` writes it: text with variables such as `$status` or `${status}`.
    ///
    /// # Errors
    /// The variable that is not known here, and which are.
    pub fn text(template: &str) -> Result<Self, String> {
        let mut format = Self { pieces: Vec::new(), escape: Escape::Text };
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            format.add_text(before);
            let (name, left) = variable(after).ok_or("a `$` without the name of a variable")?;
            format.pieces.push(Piece::Variable(Variable::named(name)?));
            rest = left;
        }
        format.add_text(rest);
        Ok(format)
    }

    /// A JSON object with these variables as fields. What is a number is one, and what is not there is
    /// null.
    ///
    /// # Errors
    /// The variable that is not known here, and which are.
    pub fn json<'a>(fields: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut format = Self { pieces: Vec::new(), escape: Escape::Json };
        for (nth, name) in fields.into_iter().enumerate() {
            let variable = Variable::named(name)?;
            format.add_text(&format!("{}\"{name}\":", if nth == 0 { "{" } else { "," }));
            format.pieces.push(Piece::Variable(variable));
        }
        format.add_text(if format.pieces.is_empty() { "{}" } else { "}" });
        Ok(format)
    }

    fn add_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text.as_bytes().into()));
        }
    }

    /// Writes the line of a request, without its end.
    pub fn write(&self, cx: &Context, ended: &Ended, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match (piece, self.escape) {
                (Piece::Text(text), _) => out.extend_from_slice(text),
                (Piece::Variable(variable), Escape::Text) => {
                    let begin = out.len();
                    variable.write(cx, ended, Escape::Text, out);
                    if out.len() == begin {
                        out.push(b'-');
                    }
                }
                (Piece::Variable(variable), Escape::Json) => json_value(variable, cx, ended, out),
            }
        }
    }
}

fn json_value(variable: &Variable, cx: &Context, ended: &Ended, out: &mut Vec<u8>) {
    let begin = out.len();
    if !variable.is_number() {
        out.push(b'"');
    }
    let quoted = out.len();
    variable.write(cx, ended, Escape::Json, out);
    if out.len() == quoted {
        out.truncate(begin);
        out.extend_from_slice(b"null");
    } else if !variable.is_number() {
        out.push(b'"');
    }
}

/// The name that follows a `$`, and what is left.
fn variable(after: &str) -> Option<(&str, &str)> {
    let found = match after.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => {
            let end = after.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(after.len());
            after.split_at_checked(end)?
        }
    };
    (!found.0.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_formats_of_a_name_are_sound() {
        for name in ["kong_log_format", "combined", "basic", "json"] {
            assert!(Format::named(name).is_some(), "{name}");
        }
        assert_eq!(Format::named("other"), None);
    }

    #[test]
    fn variables_are_told_from_text() {
        let format = Format::text("[$status]${status}x $http_x_team").unwrap();
        assert_eq!(format.pieces.len(), 6);
        for (template, told) in [
            ("$", "a `$` without the name of a variable"),
            ("${status", "a `$` without the name of a variable"),
            ("$nothing", "'$nothing' is not known here; there are "),
        ] {
            let error = Format::text(template).unwrap_err();
            assert!(error.starts_with(told), "{template}: {error}");
        }
        assert!(Format::json(["status", "nothing"]).is_err());
    }
}
