//! The example does what its README says, to a real gRPC client.
#![allow(
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "a test that cannot go on fails; the error is tonic's"
)]

use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_client::HealthClient,
};

async fn client() -> HealthClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(example_tonic_auth::serve(listener));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    HealthClient::new(channel)
}

async fn check(key: Option<&str>) -> Result<Response<HealthCheckResponse>, Status> {
    let mut request = Request::new(HealthCheckRequest { service: "orders".into() });
    if let Some(key) = key {
        request.metadata_mut().insert("x-api-key", key.parse().unwrap());
    }
    client().await.check(request).await
}

#[tokio::test]
async fn who_has_a_key_is_served() {
    let answer = check(Some("alices-key")).await.unwrap();
    assert!(answer.metadata().contains_key("x-request-id"));
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
}

#[tokio::test]
async fn others_read_a_grpc_status() {
    let refused = check(None).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "Unauthenticated"));
    assert!(refused.metadata().contains_key("x-request-id"), "layers outside see the refusal");
    let refused = check(Some("guessed")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
