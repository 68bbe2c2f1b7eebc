//! What all policies of the plugin count together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    exposition::{Exposition, Kind, label_text},
    family::{Cell, Counter, Family, each},
    histogram::{Bounds, Histogram, Unit},
};

/// The label of what is counted together because there is no room for more labels.
pub(crate) const OVERFLOW: &str = "overflow";

/// Kong's buckets for what it takes itself.
const KONG_BOUNDS: Bounds = &milliseconds([1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000]);

/// Kong's buckets for upstreams and for the whole.
const UPSTREAM_BOUNDS: Bounds = &milliseconds([25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000]);

/// For plugins, which mostly take less than a microsecond, but may wait for a store.
const PLUGIN_BOUNDS: Bounds = &[
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
];

const fn milliseconds<const N: usize>(mut bounds: [u64; N]) -> [u64; N] {
    let mut place = 0;
    while place < N {
        #[expect(clippy::indexing_slicing, reason = "for a constant, where it would not compile")]
        {
            bounds[place] *= 1_000_000;
        }
        place += 1;
    }
    bounds
}

/// All metrics that the plugin `prometheus` counts, whatever its configurations: one for a gateway.
///
/// Its lock is taken when something is counted for the first time by a worker, and when the metrics
/// are read; never to count.
///
/// The number of label sets is bounded ([`Registry::with_limit`]). When the bound is reached requests of
/// further consumers are counted under `consumer="overflow"`, until the next time the metrics are read:
/// then those that nobody counts any more (of routes that are gone) are forgotten. Label sets without a consumer may be twice as
/// many; what comes after them is counted under labels that all say `overflow`.
#[derive(Debug)]
pub struct Registry {
    state: Mutex<State>,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    requests: Family<Counter>,
    bandwidth: Family<Counter>,
    kong: Family<Histogram>,
    upstream: Family<Histogram>,
    request: Family<Histogram>,
    plugins: Family<Histogram>,
    overflowed: u64,
}

/// What a registry holds and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Label sets in use.
    pub used: usize,
    /// How many there may be.
    pub limit: usize,
}

impl Default for Registry {
    /// 50,000 label sets, about 10 MB of text when they are shown.
    fn default() -> Self {
        Self::with_limit(50_000)
    }
}

impl Registry {
    /// With room for so many label sets.
    pub fn with_limit(limit: usize) -> Self {
        Self { state: Mutex::default(), limit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How full it is.
    pub fn room(&self) -> Room {
        Room { used: self.state().len(), limit: self.limit }
    }

    /// How often something found no room for labels of its own.
    pub fn overflowed(&self) -> u64 {
        self.state().overflowed
    }

    /// A cell that counts requests under these values of `service`, `route`, `code`, `source`, `consumer`.
    pub(crate) fn requests(&self, values: [&str; 5]) -> Arc<Counter> {
        let labels = |[service, route, code, source, consumer]: [&str; 5]| {
            let names = ["service", "route", "code", "source", "workspace", "consumer"];
            label_text(names.into_iter().zip([service, route, code, source, WORKSPACE, consumer]))
        };
        let [service, route, code, source, consumer] = values;
        let choices = Choices {
            full: labels(values),
            others: (!consumer.is_empty()).then(|| labels([service, route, code, source, OVERFLOW])),
            rest: labels([OVERFLOW; 5]),
        };
        self.state().join(|state| &mut state.requests, choices, self.limit, Counter::new(0))
    }

    /// A cell that counts bytes under these values of `service`, `route`, `direction`, `consumer`.
    pub(crate) fn bandwidth(&self, values: [&str; 4]) -> Arc<Counter> {
        let labels = |[service, route, direction, consumer]: [&str; 4]| {
            let names = ["service", "route", "direction", "workspace", "consumer"];
            label_text(names.into_iter().zip([service, route, direction, WORKSPACE, consumer]))
        };
        let [service, route, direction, consumer] = values;
        let choices = Choices {
            full: labels(values),
            others: (!consumer.is_empty()).then(|| labels([service, route, direction, OVERFLOW])),
            rest: labels([OVERFLOW, OVERFLOW, direction, OVERFLOW]),
        };
        self.state().join(|state| &mut state.bandwidth, choices, self.limit, Counter::new(0))
    }

    /// Cells that count latencies of this `service` and `route`: Kong's own, the upstream's, the whole.
    pub(crate) fn latencies(&self, service: &str, route: &str) -> [Arc<Histogram>; 3] {
        let choices = || Choices {
            full: label_text([("service", service), ("route", route)]),
            others: None,
            rest: label_text([("service", OVERFLOW), ("route", OVERFLOW)]),
        };
        let (mut state, limit) = (self.state(), self.limit);
        [
            state.join(|state| &mut state.kong, choices(), limit, Histogram::new(KONG_BOUNDS)),
            state.join(|state| &mut state.upstream, choices(), limit, Histogram::new(UPSTREAM_BOUNDS)),
            state.join(|state| &mut state.request, choices(), limit, Histogram::new(UPSTREAM_BOUNDS)),
        ]
    }

    /// A cell that counts how long this plugin takes with requests or with responses. There are few plugins:
    /// these are not counted among the label sets.
    pub(crate) fn plugin(&self, plugin: &str, phase: &str) -> Arc<Histogram> {
        let labels = label_text([("plugin", plugin), ("phase", phase)]);
        self.state().plugins.join(labels, Histogram::new(PLUGIN_BOUNDS))
    }

    /// Writes all metrics that something was counted for, with `legacy` also those Kong 2.x had for
    /// latencies. Nobody who counts waits for it longer than it takes to add up a few numbers.
    pub fn write(&self, out: &mut Exposition, legacy: bool) {
        let help = "HTTP status codes per consumer/service/route in Kong";
        self.write_counter(out, "kong_http_requests_total", help, |state| &mut state.requests);
        let help = "Total bandwidth (ingress/egress) throughput in bytes";
        self.write_counter(out, "kong_bandwidth_bytes", help, |state| &mut state.bandwidth);
        for latency in &LATENCIES {
            self.write_latencies(out, latency.name, latency.help, &[latency], |_| ("workspace", WORKSPACE));
        }
        if legacy {
            let help = "Latency added by Kong, total request time and upstream latency for each service/route in Kong";
            let all: Vec<_> = LATENCIES.iter().collect();
            self.write_latencies(out, "kong_latency", help, &all, |latency| ("type", latency.legacy_type));
        }
        self.write_plugins(out);
    }

    fn write_plugins(&self, out: &mut Exposition) {
        let plugins: FamilyOf<Histogram> = |state| &mut state.plugins;
        if plugins(&mut self.state()).len() == 0 {
            return;
        }
        let name = "towergate_plugin_duration_seconds";
        out.family(name, Kind::Histogram, "How long plugins took with requests and responses, of some requests");
        self.each(plugins, |labels, sum| sum.write(out, name, labels, Unit::Seconds));
    }

    fn write_counter(&self, out: &mut Exposition, name: &str, help: &str, family: FamilyOf<Counter>) {
        if family(&mut self.state()).len() == 0 {
            return;
        }
        out.family(name, Kind::Counter, help);
        self.each(family, |labels, sum| out.line(name, labels, sum.into_inner()));
    }

    /// Writes these latencies as one metric, with one more label.
    fn write_latencies(
        &self,
        out: &mut Exposition,
        name: &str,
        help: &str,
        latencies: &[&Latency],
        label: impl Fn(&Latency) -> (&'static str, &'static str),
    ) {
        if latencies.iter().all(|latency| (latency.family)(&mut self.state()).len() == 0) {
            return;
        }
        out.family(name, Kind::Histogram, help);
        for latency in latencies {
            let (key, value) = label(latency);
            self.each(latency.family, |labels, sum| {
                sum.write(out, name, &format!("{labels},{key}=\"{value}\""), Unit::Milliseconds);
            });
        }
    }

    fn each<C: Cell>(&self, family: FamilyOf<C>, see: impl FnMut(&str, C)) {
        let next = |last: Option<&str>| {
            let mut state = self.state();
            let forgets = state.len() >= self.limit;
            family(&mut state).after(last, forgets)
        };
        each(next, see);
    }
}

type FamilyOf<C> = fn(&mut State) -> &mut Family<C>;

/// One of the three durations of a request.
struct Latency {
    name: &'static str,
    help: &'static str,
    legacy_type: &'static str,
    family: FamilyOf<Histogram>,
}

const LATENCIES: [Latency; 3] = [
    Latency {
        name: "kong_kong_latency_ms",
        help: "Latency added by Kong and enabled plugins for each service/route in Kong",
        legacy_type: "kong",
        family: |state| &mut state.kong,
    },
    Latency {
        name: "kong_upstream_latency_ms",
        help: "Latency added by upstream response for each service/route in Kong",
        legacy_type: "upstream",
        family: |state| &mut state.upstream,
    },
    Latency {
        name: "kong_request_latency_ms",
        help: "Total latency incurred during requests for each service/route in Kong",
        legacy_type: "request",
        family: |state| &mut state.request,
    },
];

/// There is one workspace.
const WORKSPACE: &str = "default";

/// Under which labels something may be counted: the first for which there is room.
struct Choices {
    full: String,
    /// With all consumers together, if it was for one consumer.
    others: Option<String>,
    /// With everything together.
    rest: String,
}

impl State {
    fn len(&self) -> usize {
        [self.requests.len(), self.bandwidth.len(), self.kong.len(), self.upstream.len(), self.request.len()]
            .iter()
            .sum()
    }

    fn join<C: Cell>(
        &mut self,
        family: impl Fn(&mut Self) -> &mut Family<C>,
        choices: Choices,
        limit: usize,
        cell: C,
    ) -> Arc<C> {
        let limit = if choices.others.is_some() { limit } else { limit.saturating_mul(2) };
        let Choices { full, others, rest } = choices;
        if family(self).has(&full) || self.len() < limit {
            return family(self).join(full, cell);
        }
        self.overflowed = self.overflowed.saturating_add(1);
        let bound = limit.saturating_mul(2);
        let labels = match others {
            Some(others) if family(self).has(&others) || self.len() < bound => others,
            _ => rest,
        };
        family(self).join(labels, cell)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    fn page(registry: &Registry) -> String {
        let mut out = Exposition::default();
        registry.write(&mut out, false);
        out.into_text()
    }

    #[test]
    fn consumers_beyond_the_limit_are_counted_together() {
        let registry = Registry::with_limit(2);
        let mut kept = Vec::new();
        for consumer in ["a", "b", "c", "d"] {
            let cell = registry.requests(["s", "r", "200", "service", consumer]);
            cell.fetch_add(1, Relaxed);
            kept.push(cell);
        }
        let plain = registry.requests(["s", "r", "404", "kong", ""]);
        plain.fetch_add(1, Relaxed);
        let page = page(&registry);
        assert!(page.contains("code=\"200\",source=\"service\",workspace=\"default\",consumer=\"a\"} 1\n"), "{page}");
        assert!(
            page.contains("code=\"200\",source=\"service\",workspace=\"default\",consumer=\"overflow\"} 2\n"),
            "{page}"
        );
        assert!(page.contains("code=\"404\",source=\"kong\",workspace=\"default\",consumer=\"\"} 1\n"), "{page}");
        assert_eq!((registry.overflowed(), registry.room()), (2, Room { used: 4, limit: 2 }));
    }

    #[test]
    fn what_comes_after_twice_the_limit_is_counted_together() {
        let registry = Registry::with_limit(1);
        let cells: Vec<_> = ["1", "2", "3", "4"].map(|code| registry.requests(["s", "r", code, "service", ""])).into();
        cells.iter().for_each(|cell| cell.store(1, Relaxed));
        let all = "service=\"overflow\",route=\"overflow\",code=\"overflow\",source=\"overflow\",\
                   workspace=\"default\",consumer=\"overflow\"} 2\n";
        assert!(page(&registry).contains(all));
        assert_eq!(registry.room().used, 3);
    }

    #[test]
    fn labels_that_nobody_counts_any_more_make_room() {
        let registry = Registry::with_limit(1);
        drop(registry.requests(["s", "r", "200", "service", "gone"]));
        assert!(page(&registry).contains("gone"), "for the last time");
        let _kept = registry.requests(["s", "r", "200", "service", "new"]);
        let page = page(&registry);
        assert!(page.contains("consumer=\"new\"") && !page.contains("gone"), "{page}");
    }
}
