//! Which entity a segment of a path means.

use http::StatusCode;
use towergate_config::{Config, Kind, Named};
use uuid::Uuid;

use super::Denied;

/// What a segment means. Most kinds have ids and at most one other name; certificates are also found
/// by their server names, targets and groups of acl by what they are within their parent.
///
/// # Errors
/// The answer where another name leads nowhere.
pub(crate) fn named(config: &Config, kind: Kind, parent: Option<Uuid>, segment: &str) -> Result<Named, Denied> {
    let named = Named::new(segment);
    let Named::Key(key) = &named else { return Ok(named) };
    let found = match (kind, parent) {
        (Kind::Certificates, _) => {
            let sni = config.snis.iter().find(|sni| sni.name == *key);
            sni.map(|sni| sni.certificate).ok_or(Denied::Said(StatusCode::NOT_FOUND, "SNI not found"))?
        }
        (Kind::Targets, Some(upstream)) => {
            let mut targets = config.targets.iter().filter(|target| target.upstream == upstream);
            targets.find(|target| target.target == *key).ok_or(Denied::NOT_FOUND)?.id
        }
        (Kind::Acls, Some(consumer)) => {
            let mut acls = config.acls.iter().filter(|acl| acl.consumer == consumer);
            acls.find(|acl| *acl.group == **key).ok_or(Denied::NOT_FOUND)?.id
        }
        _ => return Ok(named),
    };
    Ok(Named::Id(found))
}
