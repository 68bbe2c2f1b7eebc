//! A service that lets each client ask so often and no more.

use std::num::NonZeroU32;

use axum::{
    Router,
    routing::{get, post},
};
use http::StatusCode;
use towergate::{prelude::*, ratelimit::HeaderStyle};

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();
const THOUSAND: NonZeroU32 = NonZeroU32::new(1000).unwrap();
const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();

/// Quotes for everybody: 10 a minute and 1,000 a day for each address. Orders are dearer: 3 a minute.
///
/// A limit lies around the routes it is for; the one around all of them counts first.
pub fn app() -> Router {
    let orders = RateLimitLayer::fixed([Quota::per_minute(THREE)])
        .by(Key::client_address())
        .headers(HeaderStyle::Hidden)
        .message("Too many orders");
    let all = RateLimitLayer::sliding([Quota::per_minute(TEN), Quota::per_day(THOUSAND)])
        .by(Key::client_address())
        .headers(HeaderStyle::Both);
    Router::new()
        .route("/orders", post(async || StatusCode::CREATED).layer(orders))
        .route("/quote", get(async || "42.00"))
        .layer(all)
        // Outermost: the limits are by the address it finds.
        .layer(ClientLayer::new())
}
