//! Why a configuration was not put into force.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};
use towergate_config::Report;

use crate::problem::CompileProblem;

/// Why a configuration was not put into force.
#[derive(Debug)]
pub struct LoadError(Kind);

#[derive(Debug)]
enum Kind {
    Text(Report),
    Compile(Vec<CompileProblem>),
}

impl LoadError {
    /// All problems in one line, as Kong says them.
    pub fn message(&self) -> String {
        match &self.0 {
            Kind::Text(report) => report.message(),
            Kind::Compile(problems) => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                format!("declarative config is invalid: {{{}}}", lines.join("; "))
            }
        }
    }

    /// Kong's `fields`: the problems by collection, entity and field.
    pub fn fields(&self) -> Value {
        match &self.0 {
            Kind::Text(report) => report.fields().clone(),
            Kind::Compile(problems) => {
                let mut fields = BTreeMap::<_, BTreeMap<_, BTreeMap<_, _>>>::new();
                for problem in problems {
                    let entity = fields.entry(problem.collection).or_default().entry(problem.id).or_default();
                    entity.insert(&problem.field, &problem.message);
                }
                json!(fields)
            }
        }
    }

    /// Kong's `flattened_errors`: one object for each entity with problems.
    pub fn flattened_errors(&self) -> Value {
        match &self.0 {
            Kind::Text(report) => json!(report.flattened_errors()),
            Kind::Compile(problems) => problems.iter().map(flattened).collect(),
        }
    }
}

fn flattened(problem: &CompileProblem) -> Value {
    json!({
        "entity_type": problem.collection.trim_end_matches('s'),
        "entity_id": problem.id,
        "entity_name": problem.name,
        "errors": [{ "type": "field", "field": problem.field, "message": problem.message }],
    })
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Text(report) => report.fmt(f),
            Kind::Compile(problems) => problems.iter().try_for_each(|problem| writeln!(f, "error: {problem}")),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<Report> for LoadError {
    fn from(report: Report) -> Self {
        Self(Kind::Text(report))
    }
}

impl From<Vec<CompileProblem>> for LoadError {
    fn from(problems: Vec<CompileProblem>) -> Self {
        Self(Kind::Compile(problems))
    }
}
