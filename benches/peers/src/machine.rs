//! What is measured on.

use std::{fs, process::Command};

use time::{OffsetDateTime, macros::format_description};

/// Date, processor and system, in one line for the report.
pub(crate) fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text)).unwrap_or("unknown".into());
    format!("Measured {} on {cores} cores ({model}), Linux {}", today(), kernel.trim())
}

/// The day in UTC, as `2026-11-28`.
pub(crate) fn today() -> String {
    OffsetDateTime::now_utc().format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

/// How busy the machine is with other things: the load average of the last minute.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().next().unwrap_or("unknown").to_owned()
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The version in what a program says: what stands behind these signs, one after the other.
pub(crate) fn version(program: &mut Command, signs: &[&str]) -> Option<String> {
    let output = program.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    version_in(&String::from_utf8_lossy(&text), signs)
}

fn version_in(text: &str, signs: &[&str]) -> Option<String> {
    let rest = signs.iter().try_fold(text, |rest, sign| Some(rest.split_once(sign)?.1))?;
    let version: String = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect();
    (!version.is_empty()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, signs, version) in [
            ("nginx version: nginx/1.22.1\n", &["nginx/"][..], Some("1.22.1")),
            ("HAProxy version 2.6.12-1+deb12u2 2025/04/19\n", &["ersion "], Some("2.6.12")),
            ("\n/opt/envoy  version: 0a1b/1.36.2/Clean/RELEASE/BoringSSL\n", &["version: ", "/"], Some("1.36.2")),
            ("0.1.0\n", &[], Some("0.1.0")),
            ("no such option", &["nginx/"], None),
        ] {
            assert_eq!(version_in(text, signs).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn the_processor_has_a_name() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t: x\n").as_deref(),
            Some("AMD EPYC 7B13")
        );
        assert!(description().starts_with("Measured 20"));
    }
}
