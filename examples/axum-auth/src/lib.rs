//! API keys for clients; signed tokens and a group for staff.

use std::{error::Error, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use http::{HeaderName, HeaderValue};
use towergate::{
    auth::{Algorithm, Jwt, KeyAuth},
    prelude::*,
};
use uuid::Uuid;

/// What the tokens of staff are signed with (HS256). Yours comes from a secret store.
pub const SECRET: &str = "a secret of this example, known to those who may sign tokens for it";

/// shop has an API key; alice and bob have tokens, whose claim `iss` is their name. Only alice is in
/// the group `staff`.
///
/// # Errors
/// A secret too short for its algorithm.
pub fn accounts() -> Result<Directory, Box<dyn Error>> {
    let mut accounts = Directory::builder();
    let shop = Consumer::named("shop");
    let id = shop.id;
    accounts.add_consumer(shop);
    accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::new_v4(), id, "shops-key", None, None);
    for (name, groups) in [("alice", &["staff"][..]), ("bob", &[])] {
        let mut consumer = Consumer::named(name);
        consumer.acl_groups = groups.iter().copied().collect();
        let (id, key) = (consumer.id, JwtKey::secret(Algorithm::HS256, SECRET)?);
        accounts.add_consumer(consumer);
        accounts.add_credential(Jwt::CREDENTIALS, Uuid::new_v4(), id, name, key.kept(), None);
    }
    Ok(accounts.build())
}

/// `/orders` for clients with a key, `/books` for staff with a token.
///
/// # Errors
/// See [`accounts`].
pub fn app() -> Result<Router, Box<dyn Error>> {
    let accounts = Arc::new(accounts()?);
    let keys = KeyAuthLayer::new(accounts.clone()).names([HeaderName::from_static("x-api-key")]).hide_credentials(true);
    let tokens = JwtLayer::new(accounts)
        .require_expiration()
        .maximum_expiration(Duration::from_secs(3600))
        .realm(&HeaderValue::from_static("books"));
    let orders = Router::new().route("/orders", get(greet)).layer(keys);
    // The last is the outermost: who it is, then whether they may.
    let books = Router::new().route("/books", get(greet)).layer(AclLayer::allow(["staff"])).layer(tokens);
    Ok(orders.merge(books).layer(ClientLayer::new()))
}

async fn greet(caller: Caller) -> String {
    format!("hello {}", caller.name().unwrap_or("stranger"))
}
