//! Measuring: proxies have their turns one after the other, round for round, so that whatever else the machine does
//! meets all of them alike.

use std::{
    env, fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde::Serialize;

use crate::{
    Problem,
    certificate::Certificate,
    cli::Comparison,
    interrupt::Interrupt,
    load::{Outcome, Turn, Work},
    machine, note,
    process::{Process, free_ports, pinned},
    proxies::{self, Ports, Proxy, Running, Site},
    report, say,
    scenario::{self, Kind, Scenario},
    usage,
};

/// What one proxy has shown in one scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) proxy: &'static str,
    /// One for each turn.
    pub(crate) outcomes: Vec<Outcome>,
    /// Resident memory before the first request, in bytes.
    pub(crate) fresh: u64,
    /// With idle connections, in bytes.
    pub(crate) idle: Option<u64>,
}

/// All that was found in one scenario.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) scenario: Scenario,
    pub(crate) samples: Vec<Sample>,
}

/// Measures what is wanted, prints the tables and stores them.
pub(crate) fn run(wanted: &Comparison) -> Result<(), Problem> {
    let scenarios = chosen(&wanted.scenarios)?;
    let bench = Bench::new(wanted)?;
    let proxies = proxies::find(wanted)?;
    let (before, mut findings) = (machine::load_average(), Vec::new());
    // What is compared with itself is measured in the same rounds.
    for group in scenarios.chunk_by(|one, other| one.setup.is_alike(other.setup)) {
        let names: Vec<_> = group.iter().map(|scenario| scenario.title).collect();
        note(format_args!("{}", names.join("; ")));
        match bench.measure(group, &proxies) {
            Ok(found) => findings.extend(found),
            // What else was found is not lost with it.
            Err(problem) => {
                bench.interrupt.check()?;
                note(format_args!("not measured: {problem}"));
            }
        }
    }
    let text = report::markdown(wanted, &proxies, &findings, &before);
    store(&wanted.output, &text, &findings)?;
    say(text);
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Scenario>, Problem> {
    let all = scenario::all();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|scenario| scenario.name != **name)) {
        let known: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        return Err(format!("there is no scenario {unknown}; there are {}", known.join(", ")).into());
    }
    let is_chosen = |scenario: &Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// The tables as they were printed, and every turn's figures.
fn store(folder: &Path, text: &str, findings: &[Finding]) -> Result<(), Problem> {
    fs::create_dir_all(folder)?;
    let figures: Vec<_> = findings.iter().map(|finding| (finding.scenario.name, &finding.samples)).collect();
    fs::write(folder.join("latest.md"), text)?;
    fs::write(folder.join("latest.json"), serde_json::to_string_pretty(&figures)?)?;
    Ok(())
}

/// What all proxies are measured with.
struct Bench<'a> {
    wanted: &'a Comparison,
    interrupt: Interrupt,
    certificate: Certificate,
    upstream: u16,
    // Stopped when dropped, before the folder goes.
    _upstream: Process,
    folder: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    fn new(wanted: &'a Comparison) -> Result<Self, Problem> {
        let interrupt = Interrupt::listen()?;
        let folder = tempfile::tempdir()?;
        let [upstream] = free_ports()?;
        let mut program = Command::new(env::current_exe()?);
        program.arg("upstream").arg(upstream.to_string());
        let mut process = Process::start("upstream", wanted.load_core, folder.path(), &program)?;
        process.wait_for(upstream, &interrupt)?;
        let certificate = Certificate::make(folder.path())?;
        Ok(Self { wanted, interrupt, certificate, upstream, _upstream: process, folder })
    }

    /// Starts the proxies of some scenarios, and gives them their turns.
    fn measure(&self, scenarios: &[Scenario], proxies: &[Proxy]) -> Result<Vec<Finding>, Problem> {
        let mut stages = Vec::new();
        for scenario in scenarios {
            let running = self.start(scenario, proxies)?;
            let samples = running.iter().map(Sample::fresh).collect();
            stages.push((running, Finding { scenario: scenario.clone(), samples }));
        }
        for round in 0..self.wanted.rounds {
            for (running, Finding { scenario, samples }) in &mut stages {
                // Memory is the same each time.
                if round > 0 && scenario.kind != Kind::Requests {
                    continue;
                }
                for (running, sample) in running.iter().zip(samples) {
                    self.take_turn(running, scenario, sample)?;
                }
            }
        }
        Ok(stages.into_iter().map(|(_, finding)| finding).collect())
    }

    fn start(&self, scenario: &Scenario, proxies: &[Proxy]) -> Result<Vec<Running>, Problem> {
        let ports = Ports { plain: 0, tls: 0, http2: 0, http2_tls: 0 };
        let (certificate, folder) = (self.certificate.clone(), self.folder.path().join(scenario.name));
        let site = Site { setup: scenario.setup, upstream: self.upstream, ports, certificate, folder };
        let able = proxies.iter().filter(|proxy| proxy.can(scenario.setup));
        able.map(|proxy| proxy.start(&site, self.wanted.proxy_core, &self.interrupt)).collect()
    }

    /// A load, and where memory is looked at, many idle connections after it.
    fn take_turn(&self, running: &Running, scenario: &Scenario, sample: &mut Sample) -> Result<(), Problem> {
        sample.outcomes.push(self.turn(running, &scenario.work, false)?);
        if let Kind::Memory { connections } = scenario.kind {
            let many = Work { connections, ..scenario.work.clone() };
            sample.idle = Some(self.turn(running, &many, true)?.resident);
        }
        Ok(())
    }

    fn turn(&self, running: &Running, work: &Work, is_idle: bool) -> Result<Outcome, Problem> {
        let turn = Turn {
            work: work.clone(),
            port: running.ports.of(work),
            certificate: self.certificate.chain.clone(),
            pids: running.process.family(),
            seconds: self.wanted.seconds,
            is_idle,
        };
        let mut program = Command::new(env::current_exe()?);
        program.arg("load").arg(serde_json::to_string(&turn)?);
        let text = self.output(&program).map_err(|problem| format!("{}: {problem}", running.proxy.name))?;
        let outcome: Outcome = serde_json::from_str(&text)?;
        if outcome.errors > 0 {
            note(format_args!("{}: {} of {} went wrong", running.proxy.name, outcome.errors, outcome.requests));
        }
        Ok(outcome)
    }

    /// Runs a program on the load's core to its end; what it prints.
    fn output(&self, program: &Command) -> Result<String, Problem> {
        let mut child = pinned(self.wanted.load_core, program).stdout(Stdio::piped()).spawn()?;
        let status = loop {
            if let Err(problem) = self.interrupt.check() {
                child.kill()?;
                child.wait()?;
                return Err(problem);
            }
            match child.try_wait()? {
                Some(status) => break status,
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        let mut text = String::new();
        if let Some(mut out) = child.stdout.take() {
            out.read_to_string(&mut text)?;
        }
        if status.success() { Ok(text) } else { Err(format!("the load failed: {status}").into()) }
    }
}

impl Sample {
    fn fresh(running: &Running) -> Self {
        let fresh = usage::resident(&running.process.family());
        Self { proxy: running.proxy.name, outcomes: Vec::new(), fresh, idle: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_name() {
        let names = |wanted: &[&str]| {
            let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
            chosen(&wanted).map(|all| all.iter().map(|scenario| scenario.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["tls", "get-128"]).unwrap(), ["get-128", "tls"]);
        assert!(names(&[]).unwrap().len() > 10);
        let problem = names(&["nothing"]).unwrap_err().to_string();
        assert!(problem.contains("no scenario nothing") && problem.contains("get-128"), "{problem}");
    }
}
