//! The path that goes to the service.

use std::borrow::Cow;

/// The path to ask the service for (Kong's `path_handling: v0`, the only one its current routers
/// know).
///
/// `service_path` is the service's own path (`None` is `/`), `path` the normalised path of the
/// request, `prefix` what the rule's path condition matched of it (see
/// [`Match::prefix`](crate::Match::prefix)), `strip` whether that part is to be taken away. gRPC
/// paths are never changed: pass `strip: false` and no service path.
///
/// ```
/// use towergate_router::path::upstream;
///
/// assert_eq!(upstream(Some("/srv"), "/orders/7", Some("/orders".len()), true), "/srv/7");
/// assert_eq!(upstream(Some("/srv"), "/orders/7", Some("/orders".len()), false), "/srv/orders/7");
/// ```
#[must_use]
pub fn upstream<'a>(service_path: Option<&'a str>, path: &'a str, prefix: Option<usize>, strip: bool) -> Cow<'a, str> {
    let base = service_path.filter(|base| !base.is_empty()).unwrap_or("/");
    let base_folder = base.strip_suffix('/');
    let rest = match prefix {
        Some(prefix) if strip => without_leading_dots(path.get(prefix..).unwrap_or_default()),
        _ if base_folder == Some("") => return Cow::Borrowed(path),
        _ => return keep(base, base_folder, path),
    };
    let folder = base_folder.unwrap_or(base);
    match rest.strip_prefix('/') {
        Some(_) if folder.is_empty() => Cow::Borrowed(rest),
        Some(_) => Cow::Owned([folder, rest].concat()),
        None if !rest.is_empty() => Cow::Owned([folder, "/", rest].concat()),
        None => whole_path_stripped(base, folder, path),
    }
}

/// Nothing is taken away: the service's path goes in front.
fn keep<'a>(base: &'a str, base_folder: Option<&str>, path: &'a str) -> Cow<'a, str> {
    match base_folder {
        Some(folder) => Cow::Owned([folder, path].concat()),
        None if path == "/" => Cow::Borrowed(base),
        None => Cow::Owned([base, path].concat()),
    }
}

/// The whole path was the prefix: the service's own path, with a slash at its end exactly if the
/// client wrote one. `/` alone is no such wish.
fn whole_path_stripped<'a>(base: &'a str, folder: &'a str, path: &str) -> Cow<'a, str> {
    let ends_in_slash = base.len() > folder.len();
    match (path.ends_with('/'), ends_in_slash) {
        _ if folder.is_empty() => Cow::Borrowed("/"),
        (true, true) => Cow::Borrowed(base),
        (true, false) if path.len() > 1 => Cow::Owned([folder, "/"].concat()),
        _ => Cow::Borrowed(folder),
    }
}

/// `/files` taken from `/files../x` would leave `../x`, a way out of the service's path.
fn without_leading_dots(mut rest: &str) -> &str {
    loop {
        rest = match rest.strip_prefix("../").or_else(|| rest.strip_prefix("./")) {
            Some(inner) => inner,
            None if rest == "." || rest == ".." => "",
            None => return rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Service path, route path, request path, sent when the path is kept, sent when it is stripped.
    const UPSTREAM: [(&str, &str, &str, &str, &str); 27] = [
        ("/", "/", "/", "/", "/"),
        ("/", "/", "/r", "/r", "/r"),
        ("/", "/", "/r/", "/r/", "/r/"),
        ("/", "/rt", "/rt", "/rt", "/"),
        ("/", "/rt", "/rt/", "/rt/", "/"),
        ("/", "/rt", "/rtx", "/rtx", "/x"),
        ("/", "/rt", "/rt/x", "/rt/x", "/x"),
        ("/", "/rt/", "/rt/", "/rt/", "/"),
        ("/", "/rt/", "/rt/x", "/rt/x", "/x"),
        ("/srv", "/", "/", "/srv", "/srv"),
        ("/srv", "/", "/r", "/srv/r", "/srv/r"),
        ("/srv", "/", "/r/", "/srv/r/", "/srv/r/"),
        ("/srv", "/rt", "/rt", "/srv/rt", "/srv"),
        ("/srv", "/rt", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv", "/rt", "/rtx", "/srv/rtx", "/srv/x"),
        ("/srv", "/rt", "/rt/x", "/srv/rt/x", "/srv/x"),
        ("/srv", "/rt/", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv", "/rt/", "/rt/x", "/srv/rt/x", "/srv/x"),
        ("/srv/", "/", "/", "/srv/", "/srv/"),
        ("/srv/", "/", "/r", "/srv/r", "/srv/r"),
        ("/srv/", "/", "/r/", "/srv/r/", "/srv/r/"),
        ("/srv/", "/rt", "/rt", "/srv/rt", "/srv"),
        ("/srv/", "/rt", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv/", "/rt", "/rtx", "/srv/rtx", "/srv/x"),
        ("/srv/", "/rt", "/rt/x", "/srv/rt/x", "/srv/x"),
        ("/srv/", "/rt/", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv/", "/rt/", "/rt/x", "/srv/rt/x", "/srv/x"),
    ];

    #[test]
    fn the_path_for_the_service() {
        for (service, route, path, kept, stripped) in UPSTREAM {
            assert_eq!(upstream(Some(service), path, Some(route.len()), false), kept, "{service} {route} {path} kept");
            assert_eq!(
                upstream(Some(service), path, Some(route.len()), true),
                stripped,
                "{service} {route} {path} stripped"
            );
            assert_eq!(
                upstream(Some(service), path, None, true),
                kept,
                "only what a path condition matched is stripped"
            );
            if service == "/" {
                assert_eq!(upstream(None, path, Some(route.len()), true), stripped, "no path is /");
            }
        }
    }

    #[test]
    fn stripping_cannot_leave_the_service_path() {
        for (path, expected) in
            [("/rt../x", "/srv/x"), ("/rt./x", "/srv/x"), ("/rt..", "/srv"), ("/rt.", "/srv"), ("/rt.x", "/srv/.x")]
        {
            assert_eq!(upstream(Some("/srv"), path, Some(3), true), expected, "{path}");
        }
        assert_eq!(upstream(None, "/é", Some(2), true), "/", "a length inside a character takes all");
        assert_eq!(upstream(None, "/é", Some(99), true), "/");
    }
}
