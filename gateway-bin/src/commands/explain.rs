//! `towergate explain`.

mod text;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};
use towergate_config::parse;

use super::{Gateway, Run, running};
use crate::{
    cli::{SettingsSource, Source},
    control_socket::{self, Refusal},
    plugins::{self, PluginSet},
    sources::{Sources, variables},
    terminal, wiring,
};

/// Tell what would become of a request, without sending it: its route and why, the plugins, the upstream.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    towergate explain GET https://api.example.com/orders/7 -f kong.yml\n  \
    towergate explain /orders/7 -H 'Host: api.example.com' --consumer alice --running\n  \
    towergate explain POST https://api.example.com/orders --json | jq .plugins[].name")]
pub(crate) struct Explain {
    /// The method (default GET) and the URL, or a path alone.
    #[arg(num_args = 1..=2, required = true, value_names = ["METHOD", "URL"])]
    request: Vec<String>,
    /// A header, as `Name: value`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Who asks: a consumer's user name, id or custom_id.
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// A consumer group that it is in, by name or id.
    #[arg(long, value_name = "NAME")]
    consumer_group: Vec<String>,
    /// The client's address, for routes with `sources`.
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,
    /// The TLS server name, if it is not the host of the URL.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// Declarative configuration: files or folders. Without, the setting `declarative_config`.
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ask the gateway that runs in the prefix; it knows how well targets are.
    #[arg(long, conflicts_with = "files")]
    running: bool,
    /// Print JSON, as `POST /explain` of the Admin API answers it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for Explain {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let question = self.question()?;
        let answer = if self.running {
            ask_running(&self.settings, &question)?
        } else {
            self.read(&gateway.plugins, &question)?
        };
        if self.json {
            terminal::say(format_args!("{answer:#}"));
        } else {
            terminal::say(text::Explained(&answer));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Explain {
    /// The question, as the Admin API takes it.
    fn question(&self) -> Result<Value, String> {
        let (method, url) = match self.request.as_slice() {
            [method, url] => (Some(method), url),
            [url] => (None, url),
            _ => return Err("a method and a URL are asked about".into()),
        };
        let mut headers = BTreeMap::<_, Vec<_>>::new();
        for header in &self.headers {
            let (name, value) =
                header.split_once(':').ok_or_else(|| format!("'{header}' is no header; write 'Name: value'"))?;
            headers.entry(name.trim().to_ascii_lowercase()).or_default().push(value.trim());
        }
        Ok(json!({
            "method": method,
            "url": url,
            "headers": headers,
            "sni": self.sni,
            "source": self.source,
            "consumer": self.consumer,
            "consumer_groups": self.consumer_group,
        }))
    }

    /// What files would make of it.
    fn read(&self, set: &impl PluginSet, question: &Value) -> Result<Value, String> {
        let source = Source { files: self.files.clone(), settings: self.settings.clone() };
        let sources = Sources::read(&source, variables())?;
        let declarative = sources.declarative()?;
        let declarative = declarative
            .ok_or("no declarative configuration is set; name one with --file, or ask one with --running")?;
        let registry = plugins::registry(set, &sources.settings);
        let loaded = parse(declarative, &registry).map_err(|report| report.to_string())?;
        let runtime = wiring::try_compile(loaded.config, &registry).map_err(|error| error.to_string())?;
        let question = serde_json::from_value(question.clone()).map_err(|error| error.to_string())?;
        let explained = runtime.explain(&registry, &question, |_| None)?;
        serde_json::to_value(explained).map_err(|error| error.to_string())
    }
}

/// What the gateway that runs would make of it.
fn ask_running(settings: &SettingsSource, question: &Value) -> Result<Value, String> {
    let (prefix, _) = running(settings)?;
    let answer = control_socket::ask(&prefix, "explain", &question.to_string());
    let answer = answer.map_err(|refusal| match refusal {
        Refusal::Refused(body) => {
            let said: Option<Value> = serde_json::from_str(&body).ok();
            let said = said.and_then(|said| Some(said.get("message")?.as_str()?.to_owned()));
            said.unwrap_or(body)
        }
        Refusal::Unheard(error) => format!("the gateway at {} cannot be asked: {error}", prefix.display()),
    })?;
    serde_json::from_str(&answer).map_err(|error| format!("the gateway's answer cannot be read: {error}"))
}
