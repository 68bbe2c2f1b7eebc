//! The route a request matched.

use axum::extract::MatchedPath;
use http::request::Parts;

/// The template of the route that axum found for this request (`/orders/{id}`); `None` outside of a
/// router, and for a request that matched nothing.
///
/// For what counts or limits by route: `MetricsLayer::route(matched_path)`.
pub fn matched_path(head: &Parts) -> Option<&str> {
    head.extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

#[cfg(test)]
mod tests {
    use http::Request;

    #[test]
    fn a_request_outside_of_a_router_has_no_route() {
        let (head, ()) = Request::new(()).into_parts();
        assert_eq!(super::matched_path(&head), None);
    }
}
