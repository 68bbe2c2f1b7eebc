//! What loads but cannot work, or hardly can be meant: told as warnings, with what would be right.

use crate::config::Config;
use crate::declarative::Entities;
use crate::warning::Warning;

/// Adds the warnings of all lints.
pub(crate) fn all(_config: &Config, _entities: &Entities<'_>, _warnings: &mut Vec<Warning>) {}
