//! `towergate check`: is this configuration right?

use std::process::ExitCode;

use clap::Args;
use towergate_config::{Settings, parse};
use towergate_runtime::Registry;

use super::{Gateway, Run};
use crate::{
    api_tls,
    cli::Source,
    plugins::{self, PluginSet},
    sources::{Sources, variables},
    store, terminal, tls, wiring,
};

/// Validate settings and declarative configuration, without starting anything.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    source: Source,
}

impl Run for Check {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        match validate(&gateway.plugins, &self.source)? {
            Checked::Settings => terminal::say("settings are valid; no declarative configuration is set"),
            Checked::Configuration(names) => {
                terminal::say(format_args!("configuration at {} is valid", names.join(", ")));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What was found valid.
pub(super) enum Checked {
    /// Settings alone: they point to no configuration.
    Settings,
    /// Settings and a configuration from these files.
    Configuration(Vec<String>),
}

/// Validates settings and declarative configuration; prints what loads but will not work.
///
/// # Errors
/// Every problem, with its place and the lines around it.
pub(super) fn validate(set: &impl PluginSet, source: &Source) -> Result<Checked, String> {
    let sources = Sources::read(source, variables())?;
    let registry = plugins::registry(set, &sources.settings);
    settings(&sources.settings, &registry)?;
    let Some(declarative) = sources.declarative()? else { return Ok(Checked::Settings) };
    let names: Vec<_> = declarative.iter().map(|source| source.name.clone()).collect();
    let loaded =
        parse(declarative, &registry).map_err(|report| format!("{names}\n{report}", names = names.join(", ")))?;
    for warning in &loaded.warnings {
        terminal::warn(format_args!("{warning}"));
    }
    wiring::try_compile(loaded.config, &registry).map_err(|error| error.to_string())?;
    Ok(Checked::Configuration(names))
}

/// Validates what only shows when settings are put to use.
fn settings(settings: &Settings, registry: &Registry) -> Result<(), String> {
    let warnings = [plugins::missing(registry, settings), tls::warnings(settings, tls::server(settings)?.as_ref())];
    for warning in settings.warnings().iter().chain(warnings.iter().flatten()) {
        terminal::warn(format_args!("{warning}"));
    }
    store::check(settings)?;
    wiring::pages(settings)?;
    wiring::proxy_listens(settings)?;
    wiring::admin_listens(settings)?;
    wiring::status_listens(settings)?;
    api_tls::check(settings)?;
    let material = tls::Material::read(settings)?;
    material.certificates(settings)?;
    material.towards_upstreams(settings)?;
    Ok(())
}
