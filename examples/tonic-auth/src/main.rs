//! Serves on 127.0.0.1:50051, or on the port that `PORT` says.

use std::{env, error::Error};

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let port = match env::var("PORT") {
        Ok(port) => port.parse().map_err(|_| format!("PORT must be a number from 0 to 65535, not {port:?}"))?,
        Err(_) => 50051,
    };
    example_tonic_auth::serve(TcpListener::bind(("127.0.0.1", port)).await?).await
}
