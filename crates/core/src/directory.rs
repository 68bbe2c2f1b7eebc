//! Consumers and their credentials: one hash look-up, however many there are.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use uuid::Uuid;

use crate::{
    consumers::Consumers,
    credential::Secret,
    credentials::{Credentials, Key},
    groups::Groups,
};

/// Someone who uses the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consumer {
    /// Its id.
    pub id: Uuid,
    /// Its user name.
    pub username: Option<String>,
    /// Its id in a system of the operator's.
    pub custom_id: Option<String>,
    /// The consumer groups it is in, by id.
    pub groups: Vec<Uuid>,
    /// The groups that `acl` knows it by.
    pub acl_groups: Groups,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was created, in seconds since 1970; 0 if nobody knows.
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970; 0 if nobody knows.
    pub updated_at: i64,
    /// Its place in the directory it was added to.
    pub(crate) place: u32,
}

impl Consumer {
    /// A consumer with this user name and the id derived from it (UUIDv5 in the OID namespace).
    pub fn named(username: impl Into<String>) -> Self {
        let username = username.into();
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, username.as_bytes());
        Self { id, username: Some(username), ..Self::default() }
    }
}

/// One credential of a consumer. What proves it is the plugin's own business.
#[derive(Clone)]
pub struct Credential {
    /// What it is found by: the API key, the user name, the token's key.
    pub(crate) key: Key,
    /// Its kind and its place among the directory's credentials of that kind.
    pub(crate) place: Place,
    /// Whose it is: a place among the directory's consumers.
    pub(crate) consumer: u32,
    /// When it ends to be valid, in seconds since 1970; the last one there is room for (in 2106) if it does not.
    expires: u32,
    /// Its id.
    pub id: Uuid,
    /// What else the plugin of its kind keeps with it.
    pub secret: Secret,
}

impl Credential {
    /// What it is found by.
    pub fn key(&self) -> &str {
        self.key.as_str()
    }

    /// Whether it is no longer valid at `now`.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires < u32::MAX
            && now.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|now| now.as_secs() >= u64::from(self.expires))
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where a credential stands in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the directory's kinds.
    kind: u32,
    row: u32,
}

/// All consumers and credentials of one configuration. Immutable: a reload makes a new one.
#[derive(Debug, Default)]
pub struct Directory {
    consumers: Consumers,
    group_names: HashMap<Uuid, Box<str>>,
    // A handful, so that looking through them is quicker than any table.
    kinds: Vec<(&'static str, Credentials)>,
    authorities: HashMap<Uuid, Arc<[u8]>>,
}

impl Directory {
    /// Starts an empty directory.
    pub fn builder() -> DirectoryBuilder {
        DirectoryBuilder::default()
    }

    /// The credential of this kind (`key-auth`, `jwt`, …) with this key. The final comparison
    /// takes the same time wherever the keys differ.
    pub fn credential(&self, kind: &str, key: &str) -> Option<&Credential> {
        self.kind(kind)?.find(key)
    }

    fn kind(&self, name: &str) -> Option<&Credentials> {
        self.kinds.iter().find(|(kind, _)| *kind == name).map(|(_, credentials)| credentials)
    }

    /// A credential of this kind chosen by a text, always the same for the same text: somebody to
    /// compare with where nobody was found, so that it takes as long; `None` if there are none.
    pub fn decoy(&self, kind: &str, text: &str) -> Option<&Credential> {
        self.kind(kind)?.any(text)
    }

    /// Whose a credential of this directory is.
    pub fn owner(&self, credential: &Credential) -> Option<&Consumer> {
        self.consumers.at(credential.consumer)
    }

    /// The consumer with this id.
    pub fn consumer(&self, id: Uuid) -> Option<&Consumer> {
        self.consumers.by_id(id)
    }

    /// The consumer with this id or user name (how `anonymous` names one).
    pub fn consumer_named(&self, id_or_username: &str) -> Option<&Consumer> {
        let by_id = Uuid::try_parse(id_or_username).ok().and_then(|id| self.consumer(id));
        by_id.or_else(|| self.consumer_by_username(id_or_username))
    }

    /// The consumer with this user name.
    pub fn consumer_by_username(&self, username: &str) -> Option<&Consumer> {
        self.consumers.by_username(username)
    }

    /// The consumer with this id in a system of the operator's.
    pub fn consumer_by_custom_id(&self, custom_id: &str) -> Option<&Consumer> {
        self.consumers.by_custom_id(custom_id)
    }

    /// The name of the consumer group with this id.
    pub fn group_name(&self, id: Uuid) -> Option<&str> {
        self.group_names.get(&id).map(|name| &**name)
    }

    pub(crate) fn consumer_at(&self, place: u32) -> Option<&Consumer> {
        self.consumers.at(place)
    }

    pub(crate) fn credential_at(&self, place: Place) -> Option<&Credential> {
        self.kinds.get(place.kind as usize)?.1.at(place.row)
    }

    /// The certificate, in DER, of the authority with this id (`ca_certificates`).
    pub fn authority(&self, id: Uuid) -> Option<&Arc<[u8]>> {
        self.authorities.get(&id)
    }

    /// All consumers, in the order they were added.
    pub fn consumers(&self) -> &[Consumer] {
        self.consumers.all()
    }
}

/// Gathers consumers and credentials.
#[derive(Debug, Default)]
pub struct DirectoryBuilder {
    directory: Directory,
}

impl DirectoryBuilder {
    /// Adds a consumer; a later one with the same id or user name wins.
    #[must_use]
    pub fn consumer(mut self, consumer: Consumer) -> Self {
        self.add_consumer(consumer);
        self
    }

    /// Adds a consumer; a later one with the same id or user name wins.
    pub fn add_consumer(&mut self, consumer: Consumer) {
        self.directory.consumers.add(consumer);
    }

    /// Adds a consumer group; a later one with the same id wins.
    pub fn add_group(&mut self, id: Uuid, name: &str) {
        self.directory.group_names.insert(id, name.into());
    }

    /// Adds a credential of the named kind for a consumer that was added before.
    ///
    /// `expires` is in seconds since 1970. Answers whether the consumer is known and the key is
    /// new among its kind; if not, nothing is added.
    pub fn add_credential(
        &mut self,
        name: &'static str,
        id: Uuid,
        consumer: Uuid,
        key: &str,
        secret: Secret,
        expires: Option<u64>,
    ) -> bool {
        let Some(consumer) = self.directory.consumer(consumer).map(|consumer| consumer.place) else { return false };
        if self.directory.credential(name, key).is_some() {
            return false;
        }
        let kinds = &mut self.directory.kinds;
        let kind = kinds.iter().position(|(kind, _)| *kind == name).unwrap_or_else(|| {
            kinds.push((name, Credentials::default()));
            kinds.len().saturating_sub(1)
        });
        if let Some((_, credentials)) = kinds.get_mut(kind) {
            credentials.add(key, |row| Credential {
                key: Key::new(key),
                place: Place { kind: kind as u32, row },
                consumer,
                expires: expires.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX),
                id,
                secret,
            });
        }
        true
    }

    /// Adds the certificate, in DER, of an authority that plugins may trust.
    pub fn add_authority(&mut self, id: Uuid, certificate: impl Into<Arc<[u8]>>) {
        self.directory.authorities.insert(id, certificate.into());
    }

    /// The finished directory.
    pub fn build(mut self) -> Directory {
        self.directory.consumers.shrink();
        for (_, credentials) in &mut self.directory.kinds {
            credentials.shrink();
        }
        self.directory
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn finds_a_credential_and_its_owner_by_key() {
        let alice = Consumer::named("alice");
        let mut builder = Directory::builder().consumer(alice.clone()).consumer(Consumer::named("bob"));
        for n in 0..1000 {
            assert!(builder.add_credential("key-auth", Uuid::new_v4(), alice.id, &format!("key-{n}"), None, None));
        }
        assert!(!builder.add_credential("key-auth", Uuid::new_v4(), alice.id, "key-7", None, None), "a key is unique");
        assert!(!builder.add_credential("key-auth", Uuid::new_v4(), Uuid::new_v4(), "x", None, None), "owner unknown");
        let directory = builder.build();
        let found = directory.credential("key-auth", "key-999").unwrap();
        assert_eq!(directory.owner(found).map(|c| c.id), Some(alice.id));
        assert!(directory.credential("key-auth", "key-1000").is_none());
        assert!(directory.credential("jwt", "key-1").is_none());
    }

    #[test]
    fn a_decoy_is_always_the_same_for_one_name() {
        let alice = Consumer::named("alice");
        let mut builder = Directory::builder().consumer(alice.clone());
        for n in 0..10 {
            builder.add_credential("basic-auth", Uuid::from_u128(n), alice.id, &format!("user-{n}"), None, None);
        }
        let directory = builder.build();
        let chosen = |name: &str| directory.decoy("basic-auth", name).map(|credential| credential.id);
        let names: Vec<_> = (0..100).map(|n| format!("nobody-{n}")).collect();
        assert!(names.iter().all(|name| chosen(name).is_some() && chosen(name) == chosen(name)));
        assert!(names.iter().any(|name| chosen(name) != chosen("nobody-0")), "not the same for all");
        assert!(directory.decoy("hmac-auth", "nobody").is_none());
    }

    #[test]
    fn a_consumer_group_has_a_name() {
        let mut builder = Directory::builder();
        builder.add_group(Uuid::from_u128(7), "gold");
        let directory = builder.build();
        assert_eq!(directory.group_name(Uuid::from_u128(7)), Some("gold"));
        assert_eq!(directory.group_name(Uuid::nil()), None);
    }

    #[test]
    fn finds_a_consumer_by_id_or_username() {
        let alice = Consumer::named("alice");
        let directory = Directory::builder().consumer(alice.clone()).build();
        assert_eq!(directory.consumer_named("alice").map(|c| c.id), Some(alice.id));
        assert_eq!(directory.consumer_named(&alice.id.to_string()).map(|c| c.id), Some(alice.id));
        assert!(directory.consumer_named("eve").is_none());
    }

    #[test]
    fn a_million_credentials_stay_small() {
        // With the key itself if it is a usual one, and a digest; beside it there are 11 to 21 bytes of the table.
        assert!(size_of::<Credential>() <= 96, "{}", size_of::<Credential>());
    }

    #[test]
    fn finds_a_consumer_by_one_name_and_no_other() {
        let mut alice = Consumer::named("alice");
        alice.custom_id = Some("a-1".into());
        let directory = Directory::builder().consumer(alice.clone()).build();
        let found = |consumer: Option<&Consumer>| consumer.map(|consumer| consumer.id);
        assert_eq!(found(directory.consumer_by_username("alice")), Some(alice.id));
        assert_eq!(found(directory.consumer_by_custom_id("a-1")), Some(alice.id));
        assert_eq!(found(directory.consumer_by_username("a-1")), None);
        assert_eq!(found(directory.consumer_by_custom_id("alice")), None);
    }

    #[test]
    fn a_credential_ends_at_its_second() {
        let alice = Consumer::named("alice");
        let mut builder = Directory::builder().consumer(alice.clone());
        builder.add_credential("key-auth", Uuid::nil(), alice.id, "k", None, Some(100));
        let directory = builder.build();
        let credential = directory.credential("key-auth", "k").unwrap();
        assert!(!credential.is_expired(SystemTime::UNIX_EPOCH + Duration::from_secs(99)));
        assert!(credential.is_expired(SystemTime::UNIX_EPOCH + Duration::from_secs(100)));
    }
}
