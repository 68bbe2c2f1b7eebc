//! Rules about one value, in Kong's order and with Kong's words.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use regex::Regex;
use serde_json::Value;

use crate::lua;

/// A check written in Rust: what is wrong, in Kong's words, or nothing.
pub type CustomCheck = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

/// One rule about a value that already has the right type.
#[derive(Clone)]
pub enum Rule {
    /// Is this value. `Eq(Null)` forbids every value.
    Eq(Value),
    /// Is not this value. `Ne(Null)` forbids null.
    Ne(Value),
    /// Is none of these.
    NotOneOf(Vec<Value>),
    /// Is one of these.
    OneOf(Vec<Value>),
    /// Is greater than this.
    Gt(f64),
    /// Is a point in time: a number greater than 0.
    Timestamp,
    /// Is a UUID in lower case.
    Uuid,
    /// Is a regular expression.
    IsRegex,
    /// Lies between the two, both included.
    Between(f64, f64),
    /// Has exactly this many bytes, elements or entries.
    LenEq(usize),
    /// Has at least this many. Strings without this rule must have one.
    LenMin(usize),
    /// Has at most this many.
    LenMax(usize),
    /// Begins with this text.
    StartsWith(String),
    /// Does not match.
    NotMatch(Pattern),
    /// Matches.
    Match(Pattern),
    /// Contains this element.
    Contains(Value),
    /// Whatever a function says.
    Custom(CustomCheck),
    /// All elements come from one of these groups.
    ExclusiveSubsets(Vec<Vec<Value>>),
}

/// A regular expression with what is shown for it.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// The expression.
    pub regex: Arc<Expression>,
    /// The pattern `GET /schemas/…` shows (Kong's are Lua patterns); the expression itself if none.
    pub shown: Option<String>,
    /// The text of the problem, if not `invalid value: …`.
    pub message: Option<String>,
}

/// A regular expression that is compiled when it is first needed: few of a program's schemas ever check a value.
#[derive(Debug)]
pub struct Expression {
    text: Box<str>,
    compiled: OnceLock<Regex>,
}

impl Expression {
    /// # Panics
    /// When it is first needed, if it is not valid; in a debug build, now.
    pub(crate) fn constant(text: &str) -> Self {
        debug_assert!(Regex::new(text).is_ok(), "no regular expression: {text}");
        Self { text: text.into(), compiled: OnceLock::new() }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is found in this text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled().is_match(text)
    }

    #[expect(clippy::expect_used, reason = "a pattern is written in the program, not by its users")]
    fn compiled(&self) -> &Regex {
        self.compiled
            .get_or_init(|| Regex::new(&self.text).expect("a schema's own pattern is a valid regular expression"))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Rule {
    /// Kong's order of evaluation; rules of one kind share a rank.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Eq(_) => 0,
            Self::Ne(_) => 1,
            Self::NotOneOf(_) => 2,
            Self::OneOf(_) => 3,
            Self::Gt(_) => 4,
            Self::Timestamp => 5,
            Self::Uuid => 6,
            Self::IsRegex => 7,
            Self::Between(..) => 8,
            Self::LenEq(_) => 9,
            Self::LenMin(_) => RANK_LEN_MIN,
            Self::LenMax(_) => 11,
            Self::StartsWith(_) => 12,
            Self::NotMatch(_) => 13,
            Self::Match(_) => 14,
            Self::Contains(_) => 15,
            Self::Custom(_) => 16,
            Self::ExclusiveSubsets(_) => 17,
        }
    }

    /// Whether several rules of this kind may stand beside each other.
    pub(crate) fn is_repeatable(&self) -> bool {
        matches!(self, Self::NotMatch(_) | Self::Match(_) | Self::Custom(_))
    }

    /// Checks a value that is not null; what is wrong with it, in Kong's words.
    ///
    /// # Errors
    /// The text Kong reports when the value breaks the rule.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match self {
            Self::Eq(wanted) => holds(lua::same(value, wanted), || format!("value must be {}", lua::text(wanted))),
            Self::Ne(other) => holds(!lua::same(value, other), || format!("value must not be {}", lua::text(value))),
            Self::NotOneOf(options) => {
                holds(!contains(options, value), || format!("must not be one of: {}", lua::list(options)))
            }
            Self::OneOf(options) => {
                holds(contains(options, value), || format!("expected one of: {}", lua::list(options)))
            }
            Self::Gt(limit) => {
                let met = value.as_f64().is_none_or(|number| number > *limit);
                holds(met, || format!("value must be greater than {}", lua::number_text(*limit)))
            }
            Self::Timestamp => {
                let met = value.as_f64().is_none_or(|number| number > 0.0);
                holds(met, || "expected a valid timestamp".to_owned())
            }
            Self::Between(low, high) => {
                let met = value.as_f64().is_none_or(|number| number >= *low && number <= *high);
                holds(met, || between_text(*low, *high))
            }
            Self::Contains(wanted) => {
                let met = value.as_array().is_none_or(|items| contains(items, wanted));
                holds(met, || format!("expected to contain: {}", lua::text(wanted)))
            }
            Self::Custom(check) => check(value),
            Self::ExclusiveSubsets(subsets) => exclusive_subsets(value, subsets),
            Self::LenEq(_) | Self::LenMin(_) | Self::LenMax(_) => self.check_length(value),
            Self::Uuid | Self::IsRegex | Self::StartsWith(_) | Self::NotMatch(_) | Self::Match(_) => {
                value.as_str().map_or(Ok(()), |text| self.check_text(text))
            }
        }
    }

    fn check_length(&self, value: &Value) -> Result<(), String> {
        let Some(length) = length(value) else {
            return Ok(());
        };
        match self {
            Self::LenEq(n) => holds(length == *n, || format!("length must be {n}")),
            Self::LenMin(n) => holds(length >= *n, || format!("length must be at least {n}")),
            Self::LenMax(n) => holds(length <= *n, || format!("length must be at most {n}")),
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        match self {
            Self::Uuid => holds(is_uuid(text), || "expected a valid UUID".to_owned()),
            Self::IsRegex => holds(Regex::new(text).is_ok(), || format!("not a valid regex: {text}")),
            Self::StartsWith(prefix) => {
                holds(text.starts_with(prefix.as_str()), || format!("should start with: {prefix}"))
            }
            Self::Match(pattern) => holds(pattern.regex.is_match(text), || pattern.text(text)),
            Self::NotMatch(pattern) => holds(!pattern.regex.is_match(text), || pattern.text(text)),
            _ => Ok(()),
        }
    }
}

/// Where the rule that strings are not empty stands in the order.
pub(crate) const RANK_LEN_MIN: u8 = 10;

/// Kong's words for a number outside its bounds (printed as whole numbers).
pub(crate) fn between_text(low: f64, high: f64) -> String {
    format!("value should be between {} and {}", low.trunc(), high.trunc())
}

/// Whether a text is a UUID in the only form Kong takes: 8-4-4-4-12 lower-case hexadecimal digits.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

impl Pattern {
    fn text(&self, value: &str) -> String {
        self.message.clone().unwrap_or_else(|| format!("invalid value: {value}"))
    }

    /// What `GET /schemas/…` shows.
    pub(crate) fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or_else(|| self.regex.as_str())
    }
}

fn holds(met: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if met { Ok(()) } else { Err(text()) }
}

fn contains(options: &[Value], value: &Value) -> bool {
    options.iter().any(|option| lua::same(option, value))
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.len()),
        Value::Array(items) => Some(items.len()),
        Value::Object(map) => Some(map.len()),
        _ => None,
    }
}

fn exclusive_subsets(value: &Value, subsets: &[Vec<Value>]) -> Result<(), String> {
    let mut met: Vec<usize> = Vec::new();
    for item in value.as_array().into_iter().flatten() {
        // a value in two groups counts for the later one, as in Kong
        if let Some(group) = subsets.iter().rposition(|subset| contains(subset, item))
            && !met.contains(&group)
        {
            met.push(group);
        }
    }
    holds(met.len() < 2, || {
        let groups = met.iter().filter_map(|group| subsets.get(*group));
        let groups: Vec<_> = groups
            .map(|subset| format!("({})", lua::quoted(&subset.iter().map(lua::text).collect::<Vec<_>>())))
            .collect();
        format!("these sets are mutually exclusive: {}", groups.join(", "))
    })
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eq(value) => write!(f, "eq {value}"),
            Self::Ne(value) => write!(f, "ne {value}"),
            Self::NotOneOf(values) => write!(f, "not one of {values:?}"),
            Self::OneOf(values) => write!(f, "one of {values:?}"),
            Self::Gt(limit) => write!(f, "gt {limit}"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Uuid => f.write_str("uuid"),
            Self::IsRegex => f.write_str("is regex"),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
            Self::LenEq(n) => write!(f, "length {n}"),
            Self::LenMin(n) => write!(f, "length at least {n}"),
            Self::LenMax(n) => write!(f, "length at most {n}"),
            Self::StartsWith(prefix) => write!(f, "starts with {prefix:?}"),
            Self::NotMatch(pattern) => write!(f, "does not match {}", pattern.regex),
            Self::Match(pattern) => write!(f, "matches {}", pattern.regex),
            Self::Contains(value) => write!(f, "contains {value}"),
            Self::Custom(_) => f.write_str("custom"),
            Self::ExclusiveSubsets(subsets) => write!(f, "exclusive {subsets:?}"),
        }
    }
}
