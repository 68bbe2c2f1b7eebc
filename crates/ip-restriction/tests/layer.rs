//! What reaches the inner service through ip-restriction, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardBody, GuardLayer, Level, Plan, Plugin, Plugins, Timing,
};
use towergate_ip_restriction::{IpRestriction, IpRestrictionConfig, IpRestrictionLayer};

async fn inner<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("inner")))
}

async fn answer(response: Response<GuardBody<Full<Bytes>>>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Sends a request of this client through the gateway's layer.
async fn in_gateway(config: IpRestrictionConfig, address: Option<&str>) -> (u16, String) {
    let guard: Arc<dyn Guard> = Arc::new(IpRestriction::new(config, &Env::default()).unwrap());
    let guards = vec![Choice::new(IpRestriction::NAME, vec![Level::Everybody(guard)])];
    let (mut head, body) = Request::new(Empty::<Bytes>::new()).into_parts();
    let client = Client { address: address.map(|address| address.parse().unwrap()), ..Client::default() };
    let plan = Arc::new(Plan::from(Plugins { guards, ..Plugins::default() }));
    head.extensions.insert(Arc::new(Context::new(client, &head, Timing::start(), Some(plan))));
    let service = GuardLayer::from_plan().layer(service_fn(inner));
    answer(service.oneshot(Request::from_parts(head, body)).await.unwrap()).await
}

fn denying(entries: &[&str]) -> IpRestrictionConfig {
    let deny = Some(entries.iter().map(|entry| (*entry).to_owned()).collect());
    IpRestrictionConfig { deny, ..Default::default() }
}

#[tokio::test]
async fn the_client_reads_its_own_address() {
    for (address, shown) in [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7")] {
        let (status, body) = in_gateway(denying(&["192.0.2.0/24", "2001:db8::/32"]), Some(address)).await;
        assert_eq!(status, 403);
        assert!(body.starts_with(&format!("{{\n  \"message\":\"IP address not allowed: {shown}\",")), "{body}");
    }
    assert_eq!(in_gateway(denying(&["192.0.2.0/24"]), Some("192.0.3.7")).await, (200, "inner".into()));
}

#[tokio::test]
async fn status_and_message_may_be_ones_own() {
    let config =
        IpRestrictionConfig { status: Some(401.0), message: Some("Go away".into()), ..denying(&["0.0.0.0/0"]) };
    let (status, body) = in_gateway(config, Some("192.0.2.7")).await;
    assert_eq!(status, 401);
    assert!(body.contains("\"message\":\"Go away\""), "{body}");
}

#[tokio::test]
async fn an_ipv4_address_inside_ipv6_meets_the_ipv4_entries() {
    let (status, body) = in_gateway(denying(&["192.0.2.7"]), Some("::ffff:192.0.2.7")).await;
    assert_eq!(status, 403);
    assert!(body.contains("IP address not allowed: 192.0.2.7"), "{body}");
}

#[tokio::test]
async fn a_client_without_an_address_is_refused() {
    let (status, body) = in_gateway(denying(&["192.0.2.7"]), None).await;
    assert_eq!(status, 403);
    let expected = "Cannot identify the client IP address, unix domain sockets are not supported.";
    assert!(body.contains(expected), "{body}");
}

#[tokio::test]
async fn embedded_it_asks_the_function_it_was_given() {
    let layer = IpRestrictionLayer::new()
        .allow(["10.0.0.0/8"])
        .unwrap()
        .status(StatusCode::NOT_FOUND)
        .message("No")
        .client_address(|head| head.extensions.get::<IpAddr>().copied());
    for (address, status) in [("10.1.2.3", 200), ("192.0.2.7", 404)] {
        let address: IpAddr = address.parse().unwrap();
        let request = Request::builder().extension(address).body(Empty::<Bytes>::new()).unwrap();
        let response = layer.layer(service_fn(inner)).oneshot(request).await.unwrap();
        assert_eq!(answer(response).await.0, status);
    }
    let request = Request::new(Empty::<Bytes>::new());
    let response = IpRestrictionLayer::new().layer(service_fn(inner)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN, "nobody said who asks");
}

#[test]
fn what_is_no_address_is_refused_with_its_place() {
    let error = IpRestrictionLayer::new().deny(["10.0.0.0/8", "hello"]).unwrap_err();
    assert_eq!(error.to_string(), "deny[1]: invalid ip or cidr range: 'hello'");
}
