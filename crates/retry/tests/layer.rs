//! What the layer puts into a request's context, and that it changes nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::{Backoff, Context, RetryBudget, RetryRules};
use towergate_retry::{Budget, RetryLayer};

/// Answers with the rules it finds.
async fn inner<B>(request: Request<B>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let cx = request.extensions().get::<Arc<Context>>().unwrap();
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.extensions_mut().insert(cx.retries().unwrap().clone());
    Ok(response)
}

/// The rules that the inner service finds; its answer goes out as it is.
async fn rules(layer: RetryLayer) -> RetryRules {
    let response = layer.layer(service_fn(inner)).oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    response.extensions().get::<RetryRules>().unwrap().clone()
}

#[tokio::test]
async fn what_is_not_said_is_left_as_it_is() {
    let rules = rules(RetryLayer::new()).await;
    assert!(rules.retries.is_none() && rules.statuses.is_empty() && rules.budget.is_none());
}

#[tokio::test]
async fn what_is_said_reaches_the_proxying_service() {
    let (second, budget) = (Duration::from_secs(1), Arc::new(Budget::new(50.0, Duration::from_secs(10))));
    let layer = RetryLayer::new()
        .retries(3)
        .statuses([StatusCode::BAD_GATEWAY])
        .methods([Method::GET])
        .backoff(second, second * 4)
        .try_timeout(second)
        .deadline(second * 9)
        .budget(budget.clone())
        .hedge_after(second / 2);
    let rules = rules(layer).await;
    assert_eq!((rules.retries, rules.methods.as_deref()), (Some(3), Some(&[Method::GET][..])));
    assert!(rules.is_failure(StatusCode::BAD_GATEWAY) && !rules.is_failure(StatusCode::OK));
    assert_eq!(rules.backoff, Some(Backoff { base: second, limit: second * 4 }));
    assert_eq!((rules.try_timeout, rules.deadline), (Some(second), Some(second * 9)));
    assert_eq!(rules.hedge_after, Some(second / 2));
    budget.deposit();
    budget.deposit();
    assert!(rules.budget.as_ref().unwrap().withdraw(), "it is the one that was given");
}
