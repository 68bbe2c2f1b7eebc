//! The tables, in Markdown, as docs/performance.md has them.

use std::fmt::Write as _;

use crate::{
    cli::Comparison,
    comparison::{Finding, Sample},
    load::Outcome,
    machine,
    proxies::Proxy,
    scenario::Kind,
    statistics::{median, ratio},
};

/// Whom the others are compared with.
const OURS: &str = "towergate";

/// All tables that have something in them.
pub(crate) fn markdown(wanted: &Comparison, proxies: &[Proxy], findings: &[Finding], load_average: &str) -> String {
    let names: Vec<_> = proxies.iter().map(|proxy| format!("{} {}", proxy.name, proxy.version)).collect();
    let mut text = format!(
        "{}, load average {load_average} before and {} after: {}. One worker each, medians of {} turns of {} s.\n",
        machine::description(),
        machine::load_average(),
        names.join(", "),
        wanted.rounds,
        wanted.seconds,
    );
    let peers: Vec<_> = proxies.iter().map(|proxy| proxy.name).filter(|name| *name != OURS).collect();
    let of = |has_peers: bool, memory: bool| {
        let is_of = move |finding: &&Finding| {
            finding.scenario.has_peers == has_peers && memory == (finding.scenario.kind != Kind::Requests)
        };
        findings.iter().filter(is_of).collect::<Vec<_>>()
    };
    let (compared, weighed, alone) = (of(true, false), of(true, true), of(false, false));
    if !compared.is_empty() {
        text += &cost(&compared, &peers);
        text += &speed(&compared, &peers);
    }
    if !weighed.is_empty() {
        text += &memory(&weighed);
    }
    if !alone.is_empty() {
        text += &growth(&alone);
    }
    text
}

/// Processor time per request, as such and as a share of each peer's, beside what it is to be.
fn cost(findings: &[&Finding], peers: &[&str]) -> String {
    let mut head = vec!["CPU per request".to_owned()];
    head.extend(peers.iter().map(|name| (*name).to_owned()));
    head.push(OURS.to_owned());
    head.extend(peers.iter().map(|name| format!("to {name}")));
    head.push("at most".to_owned());
    let rows = findings.iter().map(|finding| {
        let cost = |name: &str| finding.figure(name, Outcome::per_request);
        let ours = cost(OURS);
        let mut row = vec![finding.scenario.title.to_owned()];
        row.extend(peers.iter().map(|name| or_dash(cost(name), microseconds)));
        row.push(or_dash(ours, microseconds));
        row.extend(peers.iter().map(|name| or_dash(share(ours, cost(name)), |share| format!("{share:.2}"))));
        row.push(targets(finding, ours));
        row
    });
    table(&head, rows)
}

/// What is to be reached; what is not in bold.
fn targets(finding: &Finding, ours: Option<f64>) -> String {
    let targets = finding.scenario.targets.iter().map(|(name, most)| {
        let reached = share(ours, finding.figure(name, Outcome::per_request));
        let is_missed = reached.is_some_and(|reached| reached > *most);
        if is_missed { format!("**{most} {name}**") } else { format!("{most} {name}") }
    });
    targets.collect::<Vec<_>>().join(", ")
}

/// Requests per second and how long they take.
fn speed(findings: &[&Finding], peers: &[&str]) -> String {
    let mut head = vec!["requests/s; p50, p99, p99.9 in ms; RSS".to_owned()];
    head.extend(peers.iter().map(|name| (*name).to_owned()));
    head.push(OURS.to_owned());
    let rows = findings.iter().map(|finding| {
        let cell = |name: &&str| {
            let latency = |place: usize| {
                let figure = finding.figure(name, |outcome| outcome.latency.get(place).copied().unwrap_or_default());
                or_dash(figure, |seconds| format!("{:.1}", seconds * 1e3))
            };
            let rate = finding.figure(name, Outcome::rate)?;
            let resident = finding.figure(name, |outcome| outcome.resident as f64)?;
            Some(format!(
                "{}; {}, {}, {}; {}",
                thousands(rate),
                latency(0),
                latency(1),
                latency(2),
                megabytes(resident)
            ))
        };
        let names = peers.iter().chain(&[OURS]);
        let cells = names.map(|name| cell(name).unwrap_or_else(|| "–".to_owned()));
        [finding.scenario.title.to_owned()].into_iter().chain(cells).collect()
    });
    table(&head, rows)
}

/// Resident memory.
fn memory(findings: &[&Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Kind::Memory { connections } = finding.scenario.kind else { continue };
        let head = ["resident memory", "after the start", "after a load", finding.scenario.title, "each of them"];
        let rows = finding.samples.iter().map(|sample| {
            let warm = sample.outcomes.first().map_or(0, |outcome| outcome.resident);
            let idle = sample.idle.unwrap_or_default();
            let each = idle.saturating_sub(warm) as f64 / connections as f64;
            let mut row = vec![sample.proxy.to_owned()];
            row.extend([sample.fresh, warm, idle].map(|bytes| megabytes(bytes as f64)));
            row.push(format!("{:.1} KiB", each / 1024.0));
            row
        });
        text += &table(&head.map(str::to_owned), rows);
    }
    text
}

/// What does not have peers: how cost and memory grow with the configuration.
fn growth(findings: &[&Finding]) -> String {
    let head = ["Towergate with", "CPU per request", "to the first of its kind", "resident memory"].map(str::to_owned);
    let rows = findings.iter().map(|finding| {
        let cost = |finding: &Finding| finding.figure(OURS, Outcome::per_request);
        let is_alike = |other: &&&Finding| other.scenario.setup.is_alike(finding.scenario.setup);
        let first = findings.iter().find(is_alike).and_then(|first| cost(first));
        let resident = finding.figure(OURS, |outcome| outcome.resident as f64);
        vec![
            finding.scenario.title.to_owned(),
            or_dash(cost(finding), microseconds),
            or_dash(share(cost(finding), first), |share| format!("{share:.2}")),
            or_dash(resident, megabytes),
        ]
    });
    table(&head, rows)
}

impl Finding {
    /// The median of a figure over a proxy's turns.
    fn figure(&self, name: &str, figure: impl Fn(&Outcome) -> f64) -> Option<f64> {
        let sample: &Sample = self.samples.iter().find(|sample| sample.proxy == name)?;
        median(sample.outcomes.iter().map(figure))
    }
}

fn share(figure: Option<f64>, of: Option<f64>) -> Option<f64> {
    ratio(figure?, of?)
}

fn or_dash(figure: Option<f64>, shown: impl FnOnce(f64) -> String) -> String {
    figure.map_or_else(|| "–".to_owned(), shown)
}

fn microseconds(seconds: f64) -> String {
    let micros = seconds * 1e6;
    if micros < 100.0 { format!("{micros:.1} µs") } else { format!("{micros:.0} µs") }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1024.0 / 1024.0)
}

/// A whole number with a comma before each three digits.
fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table whose first column are words and whose others are figures.
fn table(head: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("\n| {} |\n| --- |{}\n", head.join(" | "), " ---: |".repeat(head.len().saturating_sub(1)));
    for row in rows {
        // Writing to a text does not fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        load::Work,
        scenario::{Scenario, Setup},
    };

    fn finding(costs: &[(&'static str, &[f64])]) -> Finding {
        let outcome = |cost: &f64| Outcome {
            requests: 10_000,
            seconds: 2.0,
            run_time: cost * 10_000.0 / 1e6,
            resident: 20 << 20,
            latency: [0.001, 0.002, 0.003],
            ..Outcome::default()
        };
        let sample = |(proxy, costs): &(&'static str, &[f64])| Sample {
            proxy,
            outcomes: costs.iter().map(outcome).collect(),
            fresh: 10 << 20,
            idle: Some((20 << 20) + 5000 * 2048),
        };
        let scenario = Scenario {
            name: "get",
            title: "GET",
            setup: Setup::Plain,
            kind: Kind::Requests,
            has_peers: true,
            work: Work::default(),
            targets: &[("nginx", 0.9), ("envoy", 0.5)],
        };
        Finding { scenario, samples: costs.iter().map(sample).collect() }
    }

    #[test]
    fn cost_is_told_as_medians_and_as_shares_of_the_peers() {
        let finding = finding(&[("nginx", &[10.0, 20.0, 11.0]), ("towergate", &[10.45, 99.0, 8.0])]);
        let text = cost(&[&finding], &["nginx", "envoy"]);
        let row = text.lines().last().unwrap();
        assert_eq!(row, "| GET | 11.0 µs | – | 10.4 µs | 0.95 | – | **0.9 nginx**, 0.5 envoy |", "{text}");
        assert_eq!(text.lines().filter(|line| line.matches('|').count() == 8).count(), 3, "{text}");
    }

    #[test]
    fn speed_and_memory_are_told() {
        let mut finding = finding(&[("towergate", &[10.0])]);
        assert!(speed(&[&finding], &[]).ends_with("| GET | 5,000; 1.0, 2.0, 3.0; 20.0 MiB |\n"));
        finding.scenario.kind = Kind::Memory { connections: 5000 };
        assert!(memory(&[&finding]).ends_with("| towergate | 10.0 MiB | 20.0 MiB | 29.8 MiB | 2.0 KiB |\n"));
    }

    #[test]
    fn growth_is_told_as_a_share_of_the_first_of_its_kind() {
        let with = |setup, cost: &'static [f64]| {
            let mut finding = finding(&[("towergate", cost)]);
            finding.scenario.setup = setup;
            finding
        };
        let findings =
            [with(Setup::Routes(1), &[10.0]), with(Setup::Consumers(1), &[20.0]), with(Setup::Routes(100), &[11.0])];
        let text = growth(&findings.iter().collect::<Vec<_>>());
        let shares: Vec<_> = text.lines().skip(3).map(|line| line.split(" | ").nth(2).unwrap()).collect();
        assert_eq!(shares, ["1.00", "1.00", "1.10"]);
    }

    #[test]
    fn large_numbers_can_be_read() {
        for (figure, text) in [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(figure), text);
        }
    }
}
