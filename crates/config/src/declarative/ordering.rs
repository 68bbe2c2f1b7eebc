//! Whether plugins can be ordered as they ask for.

use towergate_schema::Path;

use super::PluginLookup;
use super::syntax::{Complaint, Complaints};
use super::validate::Validation;
use crate::entities::Plugin;

/// Complains about an `ordering` that cannot be kept. Whether several of them go together only shows
/// where they meet, on a route.
pub(super) fn check(validation: &Validation<'_>, position: usize, plugin: &Plugin, complaints: &mut Complaints) {
    let Some(ordering) = &plugin.ordering else {
        return;
    };
    let path = Path::root().key("ordering");
    let mut complain = |path, message: String| {
        complaints.push(Complaint::of_field(validation.entities, position, path, message));
    };
    if plugin.consumer.is_some() || plugin.consumer_group.is_some() {
        let message = "a plugin for a consumer or a group of consumers cannot be ordered: who the consumer is, other \
                       plugins only find out in their turn";
        complain(path.clone(), message.to_owned());
    }
    for (side, names) in [("before", ordering.before()), ("after", ordering.after())] {
        for (index, name) in names.iter().enumerate() {
            let message = match validation.catalog.plugin(name) {
                _ if *name == plugin.name => format!("'{name}' cannot run {side} itself"),
                PluginLookup::Unknown => format!("there is no plugin '{name}'"),
                PluginLookup::Known(_) | PluginLookup::NotYet => continue,
            };
            complain(path.clone().key(side).key("access").index(index), message);
        }
    }
}
