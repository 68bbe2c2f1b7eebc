//! Secrets encrypted at rest: AES-256-GCM over the fields that hold them.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{self, SHA256},
};
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::Value;
use towergate_config::{Kind, entities};
use uuid::Uuid;

use crate::{StoreError, Trouble};

/// The keys that secrets are encrypted with. The first encrypts, all decrypt; without any, secrets are
/// kept as they are.
///
/// A secret is what a schema marks as such, and what lets a client in: keys of `key-auth`, secrets of
/// `hmac-auth` and `jwt`, tokens of `oauth2`. Of plugins and vaults the whole `config` is encrypted,
/// because not only fields that are marked may hold a secret there.
#[derive(Default)]
pub struct Seal {
    keys: Vec<(String, RandomizedNonceKey)>,
}

/// A key of 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// A key from its text: 32 bytes in hexadecimal or base64.
    ///
    /// # Errors
    /// What would be right. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bytes = match text.len() {
            64 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
            43 => BASE64_NOPAD.decode(text.as_bytes()),
            _ => BASE64.decode(text.as_bytes()),
        };
        let key = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        key.map(Self).ok_or_else(|| {
            "a key must be 32 bytes in hexadecimal or base64, as 'openssl rand -hex 32' makes it".to_owned()
        })
    }

    /// What it is called where it was used; it tells nothing of the key.
    fn name(&self) -> String {
        let mut hashed = digest::Context::new(&SHA256);
        hashed.update(b"towergate store key\0");
        hashed.update(&self.0);
        HEXLOWER.encode(hashed.finish().as_ref().get(..8).unwrap_or_default())
    }
}

impl Seal {
    /// Encrypts with the first of these keys, decrypts with all of them.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = SealKey>) -> Self {
        let ready = |key: SealKey| Some((key.name(), RandomizedNonceKey::new(&AES_256_GCM, &key.0).ok()?));
        Self { keys: keys.into_iter().filter_map(ready).collect() }
    }

    /// Secrets are kept as they are.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The name of the key that encrypts.
    pub(crate) fn key(&self) -> Option<&str> {
        self.keys.first().map(|(name, _)| name.as_str())
    }

    /// Encrypts the secrets of an entity; answers the name of the key, if there is one.
    pub(crate) fn close(&self, kind: Kind, id: Uuid, entity: &mut Value) -> Result<Option<String>, StoreError> {
        let Some((name, key)) = self.keys.first() else {
            return Ok(None);
        };
        for (field, value) in secrets(kind, entity) {
            let mut bytes = value.to_string().into_bytes();
            let nonce = key.seal_in_place_append_tag(bound_to(kind, id, field), &mut bytes);
            let nonce = nonce.map_err(|error| StoreError::failed("cannot encrypt a secret", error))?;
            *value = BASE64.encode(&[nonce.as_ref().as_slice(), &bytes].concat()).into();
        }
        Ok(Some(name.clone()))
    }

    /// Decrypts what [`Seal::close`] encrypted with the key of this name.
    pub(crate) fn open(&self, kind: Kind, id: Uuid, name: Option<&str>, entity: &mut Value) -> Result<(), StoreError> {
        let Some(name) = name else {
            return Ok(());
        };
        let key = self.keys.iter().find(|(known, _)| known == name).map(|(_, key)| key);
        let key = key.ok_or_else(|| self.no_key(name))?;
        for (field, value) in secrets(kind, entity) {
            *value = opened(key, bound_to(kind, id, field), value).ok_or_else(|| {
                let what = format!("the field '{field}' of {} {id} is not what was encrypted there", kind.singular());
                StoreError::new(Trouble::Key, what)
            })?;
        }
        Ok(())
    }

    fn no_key(&self, name: &str) -> StoreError {
        let given = match self.keys.as_slice() {
            [] => "no key is set".to_owned(),
            keys => {
                let names: Vec<_> = keys.iter().map(|(name, _)| name.as_str()).collect();
                format!("the keys that are set are others ({})", names.join(", "))
            }
        };
        let what =
            format!("the store holds secrets encrypted with the key {name}, and {given}; see store_encryption_key");
        StoreError::new(Trouble::Key, what)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.name())
    }
}

/// What is encrypted belongs to this place: elsewhere it does not open.
fn bound_to(kind: Kind, id: Uuid, field: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("{}/{id}/{field}", kind.name()).into_bytes())
}

fn opened(key: &RandomizedNonceKey, bound_to: Aad<Vec<u8>>, value: &Value) -> Option<Value> {
    let mut bytes = BASE64.decode(value.as_str()?.as_bytes()).ok()?;
    let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    serde_json::from_slice(key.open_in_place(nonce, bound_to, sealed).ok()?).ok()
}

/// The secrets of an entity by field.
fn secrets(kind: Kind, entity: &mut Value) -> impl Iterator<Item = (&str, &mut Value)> {
    let fields = entity.as_object_mut().into_iter().flat_map(|fields| fields.iter_mut());
    fields
        .filter(move |(field, value)| !value.is_null() && is_secret(kind, field))
        .map(|(field, value)| (field.as_str(), value))
}

fn is_secret(kind: Kind, field: &str) -> bool {
    match (kind, field) {
        (Kind::KeyauthCredentials, "key")
        | (Kind::HmacauthCredentials | Kind::JwtSecrets, "secret")
        | (Kind::Oauth2Tokens, "access_token" | "refresh_token")
        | (Kind::Plugins | Kind::Vaults, "config") => true,
        _ => entities::record(kind).named(field).is_some_and(|field| field.encrypted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn key(byte: u8) -> SealKey {
        SealKey([byte; 32])
    }

    #[test]
    fn keys_are_written_in_hexadecimal_or_base64() {
        for text in [
            "07".repeat(32),
            BASE64.encode(&[7; 32]),
            BASE64_NOPAD.encode(&[7; 32]),
            " ".to_owned() + &"07".repeat(32) + "\n",
        ] {
            assert_eq!(SealKey::parse(&text), Ok(key(7)), "{text}");
        }
        for text in ["", "secret", &"07".repeat(31), &"zz".repeat(32)] {
            let refusal = SealKey::parse(text).unwrap_err();
            assert!(refusal.contains("32 bytes") && (text.is_empty() || !refusal.contains(text)), "{refusal}");
        }
    }

    #[test]
    fn what_is_secret_is_not_to_be_read_and_opens_again() {
        let seal = Seal::new([key(1), key(2)]);
        let cases = [
            (
                Kind::KeyauthCredentials,
                json!({ "id": ID, "key": "open sesame", "tags": ["a"], "consumer": { "id": ID } }),
            ),
            (Kind::BasicauthCredentials, json!({ "username": "anna", "password": "open sesame" })),
            (Kind::JwtSecrets, json!({ "key": "issuer", "secret": "open sesame", "rsa_public_key": null })),
            (Kind::Certificates, json!({ "cert": "public", "key": "open sesame", "key_alt": null })),
            (Kind::Plugins, json!({ "name": "rate-limiting", "config": { "redis": { "password": "open sesame" } } })),
            (Kind::Oauth2Tokens, json!({ "access_token": "open sesame", "refresh_token": "open sesame" })),
        ];
        for (kind, entity) in cases {
            let mut kept = entity.clone();
            let name = seal.close(kind, ID, &mut kept).unwrap();
            assert_eq!(name, Some(key(1).name()));
            assert!(!kept.to_string().contains("sesame"), "{kept}");
            assert_eq!(kept.get("tags"), entity.get("tags"));
            for seal in [&seal, &Seal::new([key(3), key(1)])] {
                let mut opened = kept.clone();
                seal.open(kind, ID, name.as_deref(), &mut opened).unwrap();
                assert_eq!(opened, entity);
            }
        }
    }

    #[test]
    fn other_keys_and_other_places_do_not_open_it() {
        let mut kept = json!({ "key": "open sesame" });
        let name = Seal::new([key(1)]).close(Kind::KeyauthCredentials, ID, &mut kept).unwrap();
        let said = |seal: &Seal, id| {
            let opened = seal.open(Kind::KeyauthCredentials, id, name.as_deref(), &mut kept.clone());
            let error = opened.unwrap_err();
            assert_eq!(error.trouble(), Trouble::Key);
            error.to_string()
        };
        let name = key(1).name();
        let encrypted = format!("the store holds secrets encrypted with the key {name}, and ");
        assert_eq!(said(&Seal::none(), ID), encrypted.clone() + "no key is set; see store_encryption_key");
        let other = format!("the keys that are set are others ({}); see store_encryption_key", key(2).name());
        assert_eq!(said(&Seal::new([key(2)]), ID), encrypted + &other);
        let elsewhere = Uuid::from_u128(8);
        let moved = format!("the field 'key' of keyauth_credential {elsewhere} is not what was encrypted there");
        assert_eq!(said(&Seal::new([key(1)]), elsewhere), moved);
    }
}
