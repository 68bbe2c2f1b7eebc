//! `towergate check`: is this configuration right?

use towergate_config::parse;

use crate::{
    cli,
    plugins::{self, PluginSet},
    sources::{Sources, variables},
    terminal, tls, wiring,
};

/// Validates settings and declarative configuration; prints what loads but will not work.
///
/// # Errors
/// Every problem, with its place and the lines around it.
pub(crate) fn check(set: &impl PluginSet, source: &cli::Source) -> Result<(), String> {
    let sources = Sources::read(source, variables())?;
    let registry = plugins::registry(set, &sources.settings);
    let settings = &sources.settings;
    let warnings = [plugins::missing(&registry, settings), tls::warnings(settings, tls::server(settings)?.as_ref())];
    for warning in settings.warnings().iter().chain(warnings.iter().flatten()) {
        terminal::warn(format_args!("warning: {warning}"));
    }
    wiring::pages(settings)?;
    wiring::proxy_listens(settings)?;
    wiring::admin_listens(settings)?;
    wiring::status_listens(settings)?;
    let material = tls::Material::read(settings)?;
    material.certificates(settings)?;
    material.towards_upstreams(settings)?;
    let Some(declarative) = sources.declarative()? else {
        terminal::say("settings are valid; no declarative configuration is set");
        return Ok(());
    };
    let names: Vec<_> = declarative.iter().map(|source| source.name.clone()).collect();
    let loaded =
        parse(declarative, &registry).map_err(|report| format!("{names}\n{report}", names = names.join(", ")))?;
    for warning in &loaded.warnings {
        terminal::warn(format_args!("warning: {warning}"));
    }
    wiring::try_compile(loaded.config, &registry).map_err(|error| error.to_string())?;
    terminal::say(format_args!("configuration at {} is valid", names.join(", ")));
    Ok(())
}
