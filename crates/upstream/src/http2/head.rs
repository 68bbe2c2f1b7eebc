//! The head of a request in HTTP/2.

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version, header,
    uri::{Authority, Scheme},
};

use crate::error::{Error, Kind};

/// Turns the headers and target of a request for HTTP/1.1 into a head for HTTP/2: the host becomes
/// the authority, and what tells of the connection or of the framing is left out. `TE: trailers`,
/// which is about neither, stays.
pub(crate) fn head(
    method: &Method,
    target: &Uri,
    headers: &HeaderMap,
    host: &HeaderValue,
    scheme: &Scheme,
) -> Result<Request<()>, Error> {
    let malformed = || Error::new(Kind::BadRequest);
    let host = headers.get(header::HOST).filter(|own| !own.is_empty()).unwrap_or(host);
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| malformed())?;
    let target = target.path_and_query().ok_or_else(malformed)?.clone();
    let uri = Uri::builder().scheme(scheme.clone()).authority(authority).path_and_query(target);
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.build().map_err(|cause| malformed().because(cause))?;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers.clone();
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        request.headers_mut().remove(name);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(headers: &[(&'static str, &'static str)]) -> Result<Request<()>, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let target = Uri::from_static("/shop.Shop/Buy?q=1");
        head(&Method::POST, &target, &map, &HeaderValue::from_static("target.test:50051"), &Scheme::HTTP)
    }

    #[test]
    fn the_host_becomes_the_authority() {
        let uri = |headers: &[_]| made(headers).unwrap().uri().to_string();
        assert_eq!(uri(&[("host", "")]), "http://target.test:50051/shop.Shop/Buy?q=1");
        assert_eq!(uri(&[("host", "client.test")]), "http://client.test/shop.Shop/Buy?q=1", "preserved");
        assert!(made(&[("host", "no host")]).is_err());
    }

    #[test]
    fn what_is_about_the_connection_is_left_out() {
        let request = made(&[
            ("host", "client.test"),
            ("connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
        ]);
        let mut names: Vec<_> = request.unwrap().headers().keys().map(|name| name.as_str().to_owned()).collect();
        names.sort_unstable();
        assert_eq!(names, ["grpc-timeout", "te"]);
    }
}
