//! How much the configuration in force declares.

use towergate_config::{Config, Kind as Entity};
use towergate_metrics::{Exposition, Kind};

const NAME: &str = "towergate_configuration_entities";

/// What people count; the rest belongs to one of these.
const SHOWN: [(&str, Entity); 7] = [
    ("services", Entity::Services),
    ("routes", Entity::Routes),
    ("plugins", Entity::Plugins),
    ("consumers", Entity::Consumers),
    ("upstreams", Entity::Upstreams),
    ("targets", Entity::Targets),
    ("certificates", Entity::Certificates),
];

/// Writes the number of entities of each kind.
pub(crate) fn write(out: &mut Exposition, config: &Config) {
    out.family(NAME, Kind::Gauge, "Entities of the configuration in force");
    for (kind, entity) in SHOWN {
        out.sample(NAME, &[("kind", kind)], config.count(entity));
    }
}
