//! What goes with an entity, and what keeps it from going.

use uuid::Uuid;

use super::{Changed, Edit, Refusal};
use crate::config::Config;
use crate::declarative::Kind;
use crate::entities::Entity;

impl Edit<'_> {
    /// Takes an entity out, with what belongs to it.
    pub(super) fn remove(&mut self, kind: Kind, id: Uuid) -> Result<(), Refusal> {
        let mut going = vec![(kind, id)];
        let mut next = 0;
        while let Some((kind, id)) = going.get(next).copied() {
            next += 1;
            for (child, field) in children(kind) {
                for entity in referring(&self.config, child, field, id) {
                    if child.holds(field) {
                        return Err(Refusal::referenced_by(child, kind));
                    }
                    if !going.contains(&(child, entity)) {
                        going.push((child, entity));
                    }
                }
            }
        }
        if kind == Kind::CaCertificates {
            self.check_not_trusted(id)?;
        }
        // Those that refer to others go first.
        for (kind, id) in going.into_iter().rev() {
            self.config.remove(kind, id);
            self.changed.push(Changed { kind, id, entity: None });
        }
        Ok(())
    }

    /// Refuses to take away an authority that a service trusts.
    fn check_not_trusted(&self, id: Uuid) -> Result<(), Refusal> {
        let trusts = |ids: &Option<Vec<Uuid>>| ids.iter().flatten().any(|trusted| *trusted == id);
        match self.config.services.iter().find(|service| trusts(&service.ca_certificates)) {
            Some(service) => Err(Refusal::needed(id, Kind::Services, service.id)),
            None => Ok(()),
        }
    }
}

/// The kinds that may refer to a kind, with the fields that do.
fn children(parent: Kind) -> impl Iterator<Item = (Kind, &'static str)> {
    Kind::ALL.into_iter().flat_map(move |child| {
        let fields = child.foreigns().iter().filter(move |foreign| foreign.of == parent);
        fields.map(move |foreign| (child, foreign.field))
    })
}

fn referring(config: &Config, child: Kind, field: &str, parent: Uuid) -> Vec<Uuid> {
    config.iter(child).filter(|entity| entity.link(field) == Some(parent)).map(Entity::id).collect()
}
