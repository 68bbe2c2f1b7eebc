//! A gRPC service that asks for an API key.

use std::{error::Error, sync::Arc};

use http::HeaderName;
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::server::health_reporter;
use towergate::{auth::KeyAuth, prelude::*};
use uuid::Uuid;

/// Alice, with a key.
pub fn accounts() -> Directory {
    let alice = Consumer::named("alice");
    let mut accounts = Directory::builder().consumer(alice.clone());
    accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::new_v4(), alice.id, "alices-key", None, None);
    accounts.build()
}

/// Serves gRPC's health service on this listener, for those with a key.
///
/// # Errors
/// What goes wrong with the listener.
pub async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (reporter, health) = health_reporter();
    reporter.set_service_status("orders", tonic_health::ServingStatus::Serving).await;
    Server::builder()
        .layer(CorrelationIdLayer::new().header(HeaderName::from_static("x-request-id")).echo(true))
        .layer(KeyAuthLayer::new(Arc::new(accounts())).names([HeaderName::from_static("x-api-key")]))
        .add_service(health)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}
