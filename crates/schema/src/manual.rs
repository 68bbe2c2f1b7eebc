//! Schemas as pages people read.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    check::Check,
    field::{Field, Kind},
    lua,
    record::Record,
    rule::Rule,
    shorthand::Target,
};

impl Record {
    /// A Markdown table of all fields, nested ones by their dotted names, followed by the checks between fields and the
    /// older spellings: the middle of a plugin's reference page.
    #[must_use]
    pub fn reference(&self) -> String {
        let mut out = String::from(
            "| Field | Type | Default | Required | Constraint | Description |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        rows(self, "", &mut out);
        section(&mut out, self.checks().iter().chain(self.owner_checks()).filter_map(sentence));
        let mut spellings = Vec::new();
        old_spellings(self, "", &mut spellings);
        section(&mut out, spellings.into_iter());
        out
    }
}

fn section(out: &mut String, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.map(|line| format!("* {line}\n")).collect();
    if !lines.is_empty() {
        out.push('\n');
        out.extend(lines);
    }
}

fn rows(record: &Record, prefix: &str, out: &mut String) {
    for (name, field) in record.fields() {
        let name = format!("{prefix}{name}");
        row(&name, field, out);
        match &field.kind {
            Kind::Record(inner) => rows(inner, &format!("{name}."), out),
            Kind::Array(element) | Kind::Set(element) => {
                if let Kind::Record(inner) = &element.kind {
                    rows(inner, &format!("{name}[]."), out);
                }
            }
            _ => {}
        }
    }
}

fn row(name: &str, field: &Field, out: &mut String) {
    let default = match &field.default {
        Some(default) => format!("`{}`", cell(&default.to_string())),
        None => "–".to_owned(),
    };
    let required = if field.required { "yes" } else { "" };
    let description = field.description.as_deref().map(cell).unwrap_or_default();
    let (of_type, constraint) = (type_name(field), cell(&constraints(field).join("; ")));
    // writing to a String cannot fail
    let _ = writeln!(out, "| `{name}` | {of_type} | {default} | {required} | {constraint} | {description} |");
}

/// Text inside a cell: on one line, without the sign that ends it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split('\n').filter(|line| !line.is_empty()).collect::<Vec<_>>().join("<br>")
}

fn type_name(field: &Field) -> String {
    let element = |element: &Field| {
        let rules = rules(element);
        let rules = if rules.is_empty() { String::new() } else { format!(" ({})", cell(&rules.join("; "))) };
        type_name(element) + &rules
    };
    match &field.kind {
        Kind::Array(inner) => format!("array of {}", element(inner)),
        Kind::Set(inner) => format!("set of {}", element(inner)),
        Kind::Map(key, value) => format!("map of {} to {}", element(key), element(value)),
        Kind::Foreign(collection) => format!("reference to {collection}"),
        Kind::Any => "any".to_owned(),
        other => other.name().to_owned(),
    }
}

fn constraints(field: &Field) -> Vec<String> {
    let mut out = rules(field);
    for (is_set, text) in [
        (field.unique, "unique"),
        (field.auto, "made by the gateway when not given"),
        (field.immutable, "cannot be changed"),
        (field.referenceable, "may be a `{vault://…}` reference"),
        (field.encrypted, "a secret"),
    ] {
        if is_set {
            out.push(text.to_owned());
        }
    }
    if let Some(deprecation) = &field.deprecation {
        let reason = if deprecation.message.is_empty() { String::new() } else { format!(": {}", deprecation.message) };
        out.push(format!("deprecated{reason}"));
    }
    out
}

fn rules(field: &Field) -> Vec<String> {
    field.rules.iter().filter_map(rule).collect()
}

fn rule(rule: &Rule) -> Option<String> {
    Some(match rule {
        Rule::Eq(value) => format!("must be `{}`", lua::text(value)),
        Rule::Ne(value) => format!("must not be `{}`", lua::text(value)),
        Rule::NotOneOf(values) => format!("none of {}", code(values)),
        Rule::OneOf(values) => format!("one of {}", code(values)),
        Rule::Gt(limit) => format!("greater than {limit}"),
        Rule::Timestamp => "seconds since 1970".to_owned(),
        Rule::Uuid => "UUID".to_owned(),
        Rule::IsRegex => "regular expression".to_owned(),
        Rule::Between(low, high) => format!("{low} to {high}"),
        Rule::LenEq(n) => format!("length {n}"),
        Rule::LenMin(0) => "may be empty".to_owned(),
        Rule::LenMin(n) => format!("length at least {n}"),
        Rule::LenMax(n) => format!("length at most {n}"),
        Rule::StartsWith(prefix) => format!("starts with `{prefix}`"),
        Rule::Match(pattern) => format!("matches `{}`", pattern.regex),
        Rule::NotMatch(pattern) => format!("does not match `{}`", pattern.regex),
        Rule::Contains(value) => format!("contains `{}`", lua::text(value)),
        Rule::ExclusiveSubsets(subsets) => {
            let groups: Vec<_> = subsets.iter().map(|subset| code(subset)).collect();
            format!("only from one of ({})", groups.join(") ("))
        }
        Rule::Custom(_) => return None,
    })
}

fn code(values: &[Value]) -> String {
    values.iter().map(|value| format!("`{}`", lua::text(value))).collect::<Vec<_>>().join(", ")
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn sentence(check: &Check) -> Option<String> {
    Some(match check {
        Check::AtLeastOneOf(fields) => format!("At least one of {} is set.", names(fields)),
        Check::OnlyOneOf(fields) => format!("Exactly one of {} is set.", names(fields)),
        Check::Distinct(fields) => format!("The values of {} differ.", names(fields)),
        Check::MutuallyRequired(fields) => format!("All or none of {} are set.", names(fields)),
        Check::MutuallyExclusive(fields) => format!("At most one of {} is set.", names(fields)),
        Check::MutuallyExclusiveSets(first, second) => {
            format!("None of {} is set together with any of {}.", names(first), names(second))
        }
        Check::Conditional(check) => {
            let (condition, wanted) = (meets(&check.if_match.rules, check.if_match.required), {
                meets(&check.then_match.rules, check.then_match.required)
            });
            format!("If `{}` {condition}, `{}` {wanted}.", check.if_field, check.then_field)
        }
        Check::ConditionalAtLeastOneOf(check) => {
            let condition = meets(&check.if_match.rules, check.if_match.required);
            format!("If `{}` {condition}, at least one of {} is set.", check.if_field, names(&check.then))
        }
        Check::Custom(_) => return None,
    })
}

/// "is set", "must be …" and so on, as the end of a sentence.
fn meets(rules: &[Rule], required: bool) -> String {
    let mut parts: Vec<String> = if required { vec!["is set".to_owned()] } else { Vec::new() };
    parts.extend(rules.iter().filter_map(|present| match present {
        Rule::Eq(value) => Some(format!("is `{}`", lua::text(value))),
        Rule::Ne(value) => Some(format!("is not `{}`", lua::text(value))),
        Rule::OneOf(values) => Some(format!("is one of {}", code(values))),
        Rule::NotOneOf(values) => Some(format!("is none of {}", code(values))),
        Rule::Gt(limit) => Some(format!("is greater than {limit}")),
        Rule::Between(low, high) => Some(format!("lies between {low} and {high}")),
        Rule::LenEq(n) => Some(format!("has length {n}")),
        Rule::LenMin(n) => Some(format!("has at least length {n}")),
        Rule::LenMax(n) => Some(format!("has at most length {n}")),
        other => rule(other),
    }));
    parts.join(" and ")
}

fn old_spellings(record: &Record, prefix: &str, out: &mut Vec<String>) {
    for shorthand in record.shorthands() {
        let name = format!("{prefix}{}", shorthand.name);
        out.push(match (&shorthand.target, &shorthand.field.description) {
            (Target::Moved(path), _) => format!("`{name}` is the old name of `{prefix}{path}`."),
            (Target::Expanded(_), Some(text)) => format!("`{name}`: {}", cell(text)),
            (Target::Expanded(_), None) => format!("`{name}` is short for several fields."),
        });
    }
    for (name, field) in record.fields() {
        if let Kind::Record(inner) = &field.kind {
            old_spellings(inner, &format!("{prefix}{name}."), out);
        }
    }
}
