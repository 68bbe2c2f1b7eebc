//! `towergate token`.

use std::process::ExitCode;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use clap::{Args, ValueEnum};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use super::{Gateway, Run};
use crate::{plugins::PluginSet, terminal};

/// Bytes of chance in a token: nobody guesses them, so that a fast hash keeps them well.
const LENGTH: usize = 32;

/// Make a token for the Admin API, and what to write into the settings for it.
///
/// The token itself is printed here and nowhere else: the settings have its hash.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    towergate token --name alice >> /etc/towergate/admin-tokens   the token is shown on the terminal\n  \
    KONG_ADMIN_TOKENS_FILE=/etc/towergate/admin-tokens towergate start kong.yml\n  \
    curl -H 'Authorization: Bearer <token>' http://localhost:8001/status")]
pub(crate) struct Token {
    /// Who shows it; the audit log names them.
    #[arg(long, default_value = "admin")]
    name: String,
    /// What they may do.
    #[arg(long, value_enum, default_value_t = Role::Admin)]
    role: Role,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Everything.
    Admin,
    /// Read everything, secrets included, and change nothing.
    ReadOnly,
}

impl Run for Token {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        if self.name.contains([':', ',', '#']) || self.name.trim().is_empty() {
            return Err("a name has letters, and no ':', ',' or '#'".into());
        }
        let mut bytes = [0; LENGTH];
        rand::fill(&mut bytes).map_err(|_| "the system has no random numbers".to_owned())?;
        let token = BASE64URL_NOPAD.encode(&bytes);
        let role = match self.role {
            Role::Admin => "admin",
            Role::ReadOnly => "read-only",
        };
        let hash = HEXLOWER.encode(digest(&SHA256, token.as_bytes()).as_ref());
        terminal::note(format_args!("token: {token}"));
        terminal::say(format_args!("{role}:{name}:sha256:{hash}", name = self.name));
        Ok(ExitCode::SUCCESS)
    }
}
