//! Which steps a phase has to run.

use super::{Migrations, Phase};
use crate::{StoreError, Trouble};

/// A step from one form of the tables to the next, in a database's own language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// A number and a word; never changed once it was released.
    pub(crate) name: &'static str,
    /// What is run first. It must leave nodes of the version before alone, and harm nothing if it is run
    /// twice.
    pub(crate) up: &'static str,
    /// What is run once those are gone; empty if there is nothing to do then.
    pub(crate) finish: &'static str,
}

/// What is to be run, and what to write down after it.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) statements: String,
    pub(crate) finished: bool,
}

/// What a phase has to run, if the database is in this state.
pub(crate) fn plan(steps: &[Step], state: &Migrations, phase: Phase) -> Result<Vec<Run>, StoreError> {
    let refused = |why: &str| Err(StoreError::new(Trouble::Unprepared, why));
    let is = |list: &[String], step: &Step| list.iter().any(|name| name == step.name);
    let both =
        |step: &Step| Run { name: step.name, statements: format!("{}\n{}", step.up, step.finish), finished: true };
    let up = |step: &Step| Run { name: step.name, statements: step.up.to_owned(), finished: step.finish.is_empty() };
    let finish = |step: &Step| Run { name: step.name, statements: step.finish.to_owned(), finished: true };
    Ok(match phase {
        Phase::Bootstrap if state.needs_bootstrap => steps.iter().map(both).collect(),
        Phase::Bootstrap | Phase::Reset => Vec::new(),
        Phase::Up | Phase::Repeat if state.needs_bootstrap => {
            return refused(
                "Cannot run migrations: database needs bootstrapping; run 'towergate migrations bootstrap'",
            );
        }
        Phase::Up if !state.pending.is_empty() => {
            return refused("Database has pending migrations; run 'towergate migrations finish'");
        }
        Phase::Up => steps.iter().filter(|step| is(&state.new, step)).map(up).collect(),
        Phase::Repeat => steps.iter().filter(|step| is(&state.executed, step)).map(both).collect(),
        Phase::Finish if state.needs_bootstrap => {
            return refused("Cannot run migrations; run 'towergate migrations bootstrap' instead");
        }
        Phase::Finish => steps.iter().filter(|step| is(&state.pending, step)).map(finish).collect(),
    })
}

impl Migrations {
    /// From the steps of this version and what is written in the database: the names of steps, and
    /// whether they are finished; `None` if there are no tables.
    pub(crate) fn of(steps: &[Step], recorded: Option<&[(String, bool)]>) -> Self {
        let finished =
            |name: &str| recorded.unwrap_or_default().iter().find(|(known, _)| known == name).map(|step| step.1);
        let mut all = Self { needs_bootstrap: recorded.is_none(), ..Self::default() };
        for step in steps {
            let list = match finished(step.name) {
                Some(true) => &mut all.executed,
                Some(false) => &mut all.pending,
                None => &mut all.new,
            };
            list.push(step.name.to_owned());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 3] = [
        Step { name: "000_base", up: "a", finish: "" },
        Step { name: "001_more", up: "b", finish: "c" },
        Step { name: "002_last", up: "d", finish: "" },
    ];

    fn state(recorded: Option<&[(&str, bool)]>) -> Migrations {
        let owned = recorded.map(|all| all.iter().map(|(name, done)| ((*name).to_owned(), *done)).collect::<Vec<_>>());
        Migrations::of(&STEPS, owned.as_deref())
    }

    fn planned(recorded: Option<&[(&str, bool)]>, phase: Phase) -> Result<Vec<(&'static str, String, bool)>, String> {
        let planned = plan(&STEPS, &state(recorded), phase).map_err(|error| error.to_string())?;
        Ok(planned.into_iter().map(|run| (run.name, run.statements.replace('\n', ""), run.finished)).collect())
    }

    fn run(name: &'static str, statements: &str, finished: bool) -> (&'static str, String, bool) {
        (name, statements.to_owned(), finished)
    }

    #[test]
    fn each_phase_runs_what_is_left_for_it() {
        let base: &[_] = &[("000_base", true)];
        let half: &[_] = &[("000_base", true), ("001_more", false), ("002_last", true)];
        let all: &[_] = &[("000_base", true), ("001_more", true), ("002_last", true)];
        let everything = vec![run("000_base", "a", true), run("001_more", "bc", true), run("002_last", "d", true)];
        assert_eq!(planned(None, Phase::Bootstrap), Ok(everything));
        assert_eq!(planned(Some(base), Phase::Bootstrap), Ok(vec![]));
        let up = vec![run("001_more", "b", false), run("002_last", "d", true)];
        assert_eq!(planned(Some(base), Phase::Up), Ok(up));
        assert_eq!(planned(Some(half), Phase::Finish), Ok(vec![run("001_more", "c", true)]));
        assert_eq!(planned(Some(base), Phase::Repeat), Ok(vec![run("000_base", "a", true)]));
        assert_eq!(planned(Some(all), Phase::Up), Ok(vec![]));
        assert_eq!(planned(Some(all), Phase::Finish), Ok(vec![]));
    }

    #[test]
    fn what_has_to_be_run_first_is_said_in_kongs_words() {
        let half: &[_] = &[("000_base", true), ("001_more", false)];
        for (recorded, phase, words) in [
            (
                None,
                Phase::Up,
                "Cannot run migrations: database needs bootstrapping; run 'towergate migrations bootstrap'",
            ),
            (None, Phase::Finish, "Cannot run migrations; run 'towergate migrations bootstrap' instead"),
            (Some(half), Phase::Up, "Database has pending migrations; run 'towergate migrations finish'"),
        ] {
            assert_eq!(planned(recorded, phase), Err(words.to_owned()));
        }
        let started = |recorded| state(recorded).check().map_err(|error| error.to_string());
        assert_eq!(started(None), Err("Database needs bootstrapping; run 'towergate migrations bootstrap'".to_owned()));
        let new: &[_] = &[("000_base", true)];
        assert_eq!(
            started(Some(new)),
            Err("New migrations available; run 'towergate migrations up' to proceed".to_owned())
        );
        let pending: &[_] = &[("000_base", true), ("001_more", false), ("002_last", true)];
        assert_eq!(started(Some(pending)), Ok(()));
    }
}
