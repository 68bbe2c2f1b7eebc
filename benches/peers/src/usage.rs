//! What processes have used: processor time and memory, as `/proc` tells.

use std::{fs, path::Path, time::Duration};

/// How many ticks a second has in `/proc/PID/stat`: the same on every Linux that Rust runs on.
const TICKS: u64 = 100;

/// The process and all that descends from it.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let stats = numbers(Path::new("/proc")).into_iter();
    let parents: Vec<(u32, u32)> = stats
        .filter_map(|child| Some((child, parent(&fs::read_to_string(format!("/proc/{child}/stat")).ok()?)?)))
        .collect();
    descendants(pid, &parents)
}

fn descendants(pid: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|(child, of)| *of == parent && *child != parent).map(|(child, _)| *child));
        next += 1;
    }
    family
}

/// How long the threads of these processes have run, threads that have ended not counted.
pub(crate) fn run_time(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| run_time_of(*pid)).sum()
}

/// By the scheduler's own count, in nanoseconds; where the kernel keeps none, by ticks.
fn run_time_of(pid: u32) -> Duration {
    let tasks = format!("/proc/{pid}/task");
    let mut sum = Duration::ZERO;
    for task in numbers(Path::new(&tasks)) {
        let read = |name: &str| fs::read_to_string(format!("{tasks}/{task}/{name}")).ok();
        let exact = read("schedstat").as_deref().and_then(scheduled);
        sum += exact.or_else(|| read("stat").as_deref().and_then(ticked)).unwrap_or_default();
    }
    sum
}

/// Resident memory of these processes, in bytes.
pub(crate) fn resident(pids: &[u32]) -> u64 {
    let status = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/status")).ok();
    pids.iter().filter_map(status).filter_map(|status| resident_in(&status)).sum()
}

/// The names in a folder that are numbers.
fn numbers(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// What stands after the name, which is in parentheses and may itself have any.
fn after_name(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace())
}

/// The fourth field of `stat`.
fn parent(stat: &str) -> Option<u32> {
    after_name(stat)?.nth(1)?.parse().ok()
}

/// The sum of the fields 14 and 15 of `stat`: ticks in user mode and in the kernel.
fn ticked(stat: &str) -> Option<Duration> {
    let mut fields = after_name(stat)?.skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * (1000 / TICKS)))
}

/// The first field of `schedstat`: nanoseconds on a processor. All zero where the kernel does not count.
fn scheduled(schedstat: &str) -> Option<Duration> {
    let mut fields = schedstat.split_ascii_whitespace();
    let (ran, _, turns) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
    (turns != "0" || ran > 0).then_some(Duration::from_nanos(ran))
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Instant};

    use super::*;

    const STAT: &str = "4711 (a) name) S 815 4711 4711 0 -1 4194304 100 0 0 0 250 75 0 0 20 0 1 0 1000 5000000 300 18446744073709551615";

    #[test]
    fn fields_are_counted_after_a_name_that_may_have_parentheses() {
        assert_eq!(parent(STAT), Some(815));
        assert_eq!(ticked(STAT), Some(Duration::from_millis(3250)));
        assert_eq!((parent("no stat"), ticked("1 (a) S")), (None, None));
    }

    #[test]
    fn the_scheduler_counts_nanoseconds_or_nothing() {
        assert_eq!(scheduled("123456789 1000 42\n"), Some(Duration::from_nanos(123_456_789)));
        assert_eq!(scheduled("0 0 0\n"), None, "not counted");
        assert_eq!(scheduled("0 500 1\n"), Some(Duration::ZERO), "not on a processor yet");
        assert_eq!(scheduled(""), None);
    }

    #[test]
    fn resident_memory_is_told_in_kilobytes() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t   12345 kB\nThreads:\t3\n"), Some(12_641_280));
        assert_eq!(resident_in("Name:\tkthreadd\n"), None, "a thread of the kernel has none");
    }

    #[test]
    fn a_family_has_all_generations() {
        let parents = [(2, 1), (3, 2), (4, 3), (5, 9), (6, 2), (0, 0)];
        assert_eq!(descendants(2, &parents), [2, 3, 6, 4]);
        assert_eq!(descendants(0, &parents), [0]);
    }

    #[test]
    fn who_works_has_run() {
        // Not this process: threads of other tests end, and what they ran is not counted any more.
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let (pids, began) = ([busy.id()], Instant::now());
        while run_time(&pids) < Duration::from_millis(30) {
            assert!(began.elapsed() < Duration::from_secs(20), "the time does not go on");
        }
        assert!(resident(&pids) > 100_000);
        busy.kill().unwrap();
        busy.wait().unwrap();
    }
}
