//! `towergate check`: is this configuration right?

use towergate_config::parse;

use crate::{
    cli,
    plugins::{self, PluginSet},
    sources::{Sources, variables},
    wiring,
};

/// Validates settings and declarative configuration; prints what loads but will not work.
///
/// # Errors
/// Every problem, with its place and the lines around it.
#[allow(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn check(set: &impl PluginSet, source: &cli::Source) -> Result<(), String> {
    let sources = Sources::read(source, variables())?;
    for warning in sources.settings.warnings() {
        eprintln!("warning: {warning}");
    }
    let registry = plugins::registry(set, &sources.settings);
    let Some(declarative) = sources.declarative()? else {
        println!("settings are valid; no declarative configuration is set");
        return Ok(());
    };
    let names: Vec<_> = declarative.iter().map(|source| source.name.clone()).collect();
    let loaded =
        parse(declarative, &registry).map_err(|report| format!("{names}\n{report}", names = names.join(", ")))?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    wiring::try_compile(loaded.config, &registry).map_err(|error| error.to_string())?;
    println!("configuration at {} is valid", names.join(", "));
    Ok(())
}
