//! Whether plugins can be ordered as they ask for.

use towergate_schema::{Path, Problem};

use super::{Catalog, PluginLookup};
use crate::entities::Plugin;

/// Complains about an `ordering` that cannot be kept. Whether several of them go together only shows
/// where they meet, on a route.
pub(crate) fn check(catalog: &dyn Catalog, plugin: &Plugin, problems: &mut Vec<Problem>) {
    let Some(ordering) = &plugin.ordering else {
        return;
    };
    let path = Path::root().key("ordering");
    if plugin.consumer.is_some() || plugin.consumer_group.is_some() {
        let message = "a plugin for a consumer or a group of consumers cannot be ordered: who the consumer is, other \
                       plugins only find out in their turn";
        problems.push(Problem::new(path.clone(), message));
    }
    for (side, names) in [("before", ordering.before()), ("after", ordering.after())] {
        for (index, name) in names.iter().enumerate() {
            let message = match catalog.plugin(name) {
                _ if *name == plugin.name => format!("'{name}' cannot run {side} itself"),
                PluginLookup::Unknown => format!("there is no plugin '{name}'"),
                PluginLookup::Known(_) | PluginLookup::NotYet => continue,
            };
            problems.push(Problem::new(path.clone().key(side).key("access").index(index), message));
        }
    }
}
