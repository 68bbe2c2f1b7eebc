//! Asks the addresses on the command line for `/`, ten times.
#![expect(clippy::print_stdout, reason = "answers are what it is for")]

use std::{env, error::Error, net::SocketAddr};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addresses = env::args().skip(1).map(|address| address.parse()).collect::<Result<Vec<SocketAddr>, _>>()?;
    if addresses.is_empty() {
        return Err("say at least one address, such as 127.0.0.1:8001".into());
    }
    let client = example_client_lb::client(&addresses);
    for _ in 0..10 {
        let request = Request::get("/").body(Full::<Bytes>::default())?;
        match client.clone().oneshot(request).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let body = body.collect().await?.to_bytes();
                println!("{} {}", head.status, String::from_utf8_lossy(&body).trim_end());
            }
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
