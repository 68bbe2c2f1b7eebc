//! How long plugins take.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use towergate_core::{Context, Part, Span};

use crate::{histogram::Histogram, registry::Registry, tree::Tree};

/// Of so many requests one is timed: reading clocks for each plugin of each request would cost more than
/// everything else that is counted.
const ONE_OF: u32 = 16;

/// How long plugins take, as one worker has timed them.
#[derive(Debug, Default)]
pub(crate) struct PluginTimes {
    requests: AtomicU32,
    times: Tree<Part, Option<Arc<Histogram>>>,
}

impl PluginTimes {
    /// Whether the request that comes now is one whose plugins are timed; then they are.
    pub(crate) fn begin(&self, cx: &Context) -> bool {
        // Nobody else counts here, so that a number that two have seen does no harm.
        let turn = self.requests.load(Relaxed);
        self.requests.store(turn.wrapping_add(1), Relaxed);
        let is_timed = turn.is_multiple_of(ONE_OF);
        if is_timed {
            cx.spans.ask();
        }
        is_timed
    }

    /// Counts how long the plugins of a timed request took.
    pub(crate) fn count(&self, cx: &Context, registry: &Registry) {
        for Span { part, began, ended } in cx.spans.list() {
            let Some(ended) = ended else { continue };
            let time = self.times.get(hash(part), part, || time(part, registry));
            if let Some(time) = time {
                time.observe(ended.saturating_duration_since(began), None);
            }
        }
    }
}

/// Where the times of a part are counted; `None` for what is no plugin, or has no name.
fn time(part: Part, registry: &Registry) -> Option<Arc<Histogram>> {
    match part {
        Part::Check("") | Part::Respond("") => None,
        Part::Check(plugin) => Some(registry.plugin(plugin, "request")),
        Part::Respond(plugin) => Some(registry.plugin(plugin, "response")),
        _ => None,
    }
}

/// Parts with names of the same length, the same first and the same last letter are few.
fn hash(part: Part) -> u64 {
    let (salt, name) = match part {
        Part::Check(name) => (1, name),
        Part::Respond(name) => (2, name),
        _ => (3, ""),
    };
    let [first, last] = [name.as_bytes().first(), name.as_bytes().last()].map(|byte| byte.copied().unwrap_or(0));
    let length = u64::try_from(name.len()).unwrap_or(0);
    (length ^ (u64::from(first) << 8) ^ (u64::from(last) << 16) ^ (salt << 24)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> 32
}
