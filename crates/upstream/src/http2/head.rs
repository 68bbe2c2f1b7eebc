//! The head of a request in HTTP/2.

use http::{
    HeaderValue, Method, Request, Uri, Version,
    uri::{Authority, Scheme},
};

use crate::error::{Error, Kind};

/// A request without headers: the host has become the authority.
pub(crate) fn head(method: &Method, target: &[&str], host: &HeaderValue, scheme: Scheme) -> Result<Request<()>, Error> {
    let authority = Authority::try_from(host.as_bytes()).map_err(malformed)?;
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(target.concat());
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.build().map_err(malformed)?;
    *request.version_mut() = Version::HTTP_2;
    Ok(request)
}

fn malformed(cause: impl Into<towergate_core::BoxError>) -> Error {
    Error::new(Kind::BadRequest).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_becomes_the_authority() {
        let made = |host, scheme| {
            let target = ["/shop.Shop/Buy", "?", "q=1"];
            let request = head(&Method::POST, &target, &HeaderValue::from_static(host), scheme);
            request.map(|request| request.uri().to_string()).ok()
        };
        assert_eq!(made("a.test:50051", Scheme::HTTP).unwrap(), "http://a.test:50051/shop.Shop/Buy?q=1");
        assert_eq!(made("[::1]", Scheme::HTTPS).unwrap(), "https://[::1]/shop.Shop/Buy?q=1");
        assert_eq!(made("no host", Scheme::HTTP), None);
    }
}
