//! Who a request is from, as authentication finds out.

use std::{
    iter,
    sync::{Arc, OnceLock},
};

use crate::{
    context::Context,
    directory::{Consumer, Credential, Directory, Place},
};

/// Where a layer looks up who a request is from: the gateway's directory (the default), or one of
/// the embedder's own.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    own: Option<Arc<Directory>>,
}

impl Accounts {
    /// The accounts of an embedder.
    pub fn own(directory: Arc<Directory>) -> Self {
        Self { own: Some(directory) }
    }

    /// The directory to look in for this request; `None` when embedded without one.
    pub fn directory<'a>(&'a self, cx: &'a Context) -> Option<&'a Directory> {
        self.own.as_deref().or_else(|| cx.directory())
    }

    /// Records that the request proved itself with this credential of the directory.
    pub fn authenticate(&self, cx: &Context, credential: &Credential) {
        let consumer = Some(credential.consumer);
        cx.identify(Identity {
            own: self.own.clone(),
            consumer,
            credential: Some(credential.place),
            ..Identity::default()
        });
    }

    /// Records that another system vouches for who the request is from (an issuer of tokens, an
    /// authority of certificates): it is known by this text and in these groups, and is this consumer
    /// of the directory if it is one at all.
    pub fn vouch(
        &self,
        cx: &Context,
        consumer: Option<&Consumer>,
        identifier: impl Into<Box<str>>,
        groups: Vec<String>,
    ) {
        cx.identify(Identity {
            own: self.own.clone(),
            consumer: consumer.map(|consumer| consumer.place),
            credential: None,
            vouched: Some(identifier.into()),
            groups,
        });
    }

    /// Records that the request goes on as this consumer of the directory, nothing proven.
    pub fn admit_anonymous(&self, cx: &Context, consumer: &Consumer) {
        let consumer = Some(consumer.place);
        cx.identify(Identity { own: self.own.clone(), consumer, ..Identity::default() });
    }
}

/// An authenticated (or deliberately anonymous) identity.
///
/// It points into a directory, that of the request's plan or an embedder's own, so that no shared
/// reference count is touched per request in the gateway.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    own: Option<Arc<Directory>>,
    consumer: Option<u32>,
    credential: Option<Place>,
    vouched: Option<Box<str>>,
    groups: Vec<String>,
}

impl Identity {
    /// Someone known only by the groups another system says they are in.
    pub fn with_groups(groups: Vec<String>) -> Self {
        Self { groups, ..Self::default() }
    }

    /// Whether nothing was proven: no credential, and nobody vouches for it.
    pub fn is_anonymous(&self) -> bool {
        self.credential.is_none() && self.vouched.is_none()
    }

    /// What another system that vouches for it calls it.
    pub fn vouched_identifier(&self) -> Option<&str> {
        self.vouched.as_deref()
    }

    /// The groups known without a consumer.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The directory it points into.
    pub(crate) fn directory<'a>(&'a self, shared: Option<&'a Directory>) -> Option<&'a Directory> {
        self.own.as_deref().or(shared)
    }

    pub(crate) fn consumer<'a>(&'a self, shared: Option<&'a Directory>) -> Option<&'a Consumer> {
        self.directory(shared)?.consumer_at(self.consumer?)
    }

    pub(crate) fn credential<'a>(&'a self, shared: Option<&'a Directory>) -> Option<&'a Credential> {
        self.directory(shared)?.credential_at(self.credential?)
    }
}

/// The identities of one request in the order they were found; the last one counts. Each link is
/// written once, so that a reference handed out stays good; the usual single one takes no allocation.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    first: Link,
}

#[derive(Debug, Default)]
struct Link {
    found: OnceLock<(usize, Identity)>,
    next: OnceLock<Box<Link>>,
}

impl Identities {
    /// Adds an identity, found at this turn of the guards.
    pub(crate) fn push(&self, turn: usize, identity: Identity) {
        let mut link = &self.first;
        let mut entry = (turn, identity);
        while let Err(refused) = link.found.set(entry) {
            entry = refused;
            link = link.next.get_or_init(Box::default);
        }
    }

    /// The identity in force before this turn.
    pub(crate) fn before(&self, turn: usize) -> Option<&Identity> {
        self.iter().take_while(|(at, _)| *at < turn).last().map(|(_, identity)| identity)
    }

    /// The groups of the latest identity that came with any.
    pub(crate) fn groups(&self) -> &[String] {
        self.iter()
            .map(|(_, identity)| identity.groups())
            .filter(|groups| !groups.is_empty())
            .last()
            .unwrap_or_default()
    }

    fn iter(&self) -> impl Iterator<Item = &(usize, Identity)> {
        let links = iter::successors(Some(&self.first), |link| link.next.get().map(|next| &**next));
        links.map_while(|link| link.found.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_identity_counts_from_the_turn_after_it_was_found() {
        let identities = Identities::default();
        for (turn, name) in [(2, "anonymous"), (5, "alice"), (5, "bob")] {
            identities.push(turn, Identity::with_groups(vec![name.into()]));
        }
        let seen = [2, 3, 5, 6, usize::MAX].map(|turn| identities.before(turn).map(|i| i.groups()[0].as_str()));
        assert_eq!(seen, [None, Some("anonymous"), Some("anonymous"), Some("bob"), Some("bob")]);
    }
}
