//! `towergate prepare`.

use std::{fs, process::ExitCode};

use clap::Args;

use super::{Gateway, OfNginx, Run};
use crate::{
    api_tls::{Api, ApiTls},
    cli::{SettingsSource, Source},
    plugins::PluginSet,
    sources::{Sources, variables},
    tls::{self, Material},
};

/// Make the prefix, with certificates that nobody has given, without starting anything.
#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    settings: SettingsSource,
    #[command(flatten)]
    nginx: OfNginx,
}

impl Run for Prepare {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        self.nginx.tell();
        let settings = Sources::read(&Source::of(self.settings), variables())?.settings;
        for folder in ["pids", "logs", "ssl"] {
            let folder = settings.prefix.join(folder);
            fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        }
        tls::default_certificates(&Material::read(&settings)?, &settings)?;
        ApiTls::read(Api::Admin, &settings)?;
        ApiTls::read(Api::Status, &settings)?;
        Ok(ExitCode::SUCCESS)
    }
}
