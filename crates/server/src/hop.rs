//! Headers that the client meant for this hop only.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Removes the headers that the client's `Connection` lists, before any guard sees the request, and
/// then the list itself: what a guard sets later can not be taken away by it any more, whatever
/// its name. Of the list only the wish to switch protocols is left (`Connection: upgrade`).
///
/// Never removed, whatever is listed: what frames the message (`Content-Length`,
/// `Transfer-Encoding`), `Host`, what the upstream side needs in order to decide about protocol
/// switches and trailers (`Upgrade`, `TE`, `Connection` itself), and what the proxies before us say
/// about the client (`X-Forwarded-*`, `X-Real-IP`, `Via`): a list that one of them passed on
/// unread must not hide where the request came from.
pub(crate) fn strip_listed(headers: &mut HeaderMap) {
    let Some(first) = headers.get(header::CONNECTION) else { return };
    if is_plain(first) && headers.get_all(header::CONNECTION).iter().nth(1).is_none() {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !is_spared(name))
        .collect();
    let upgrade = listed_upgrade(headers);
    for name in listed {
        headers.remove(name);
    }
    headers.remove(header::CONNECTION);
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Whether the list asks to switch protocols.
fn listed_upgrade(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter();
    let mut names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// The usual values, which list nothing.
fn is_plain(value: &HeaderValue) -> bool {
    ["keep-alive", "close", "upgrade"].iter().any(|plain| value.as_bytes().eq_ignore_ascii_case(plain.as_bytes()))
}

fn is_spared(name: &HeaderName) -> bool {
    let spared = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::HOST,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    spared.contains(name) || matches!(name.as_str(), "via" | "x-real-ip") || name.as_str().starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_headers_go_and_framing_stays() {
        let table: [(&[&str], &[&str]); 6] = [
            (
                &["X-Forwarded-For, X-Real-IP, X-Forwarded-Proto, Via"],
                &[
                    "content-length",
                    "host",
                    "te",
                    "via",
                    "x-a",
                    "x-b",
                    "x-forwarded-for",
                    "x-forwarded-proto",
                    "x-real-ip",
                ],
            ),
            (&["keep-alive"], &["content-length", "host", "te", "x-a", "x-b"]),
            (&["close, X-A"], &["content-length", "host", "te", "x-b"]),
            (&["close", " x-b ,,x-a"], &["content-length", "host", "te"]),
            (&["Content-Length, Host, TE, Upgrade"], &["content-length", "host", "te", "x-a", "x-b"]),
            (&["not a name, \u{e9}, x-a"], &["content-length", "host", "te", "x-b"]),
        ];
        for (connection, rest) in table {
            let mut headers = HeaderMap::new();
            for name in rest.iter().chain(&["x-a", "x-b"]) {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
            }
            headers.append("x-a", HeaderValue::from_static("2"));
            for line in connection {
                headers.append(header::CONNECTION, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            strip_listed(&mut headers);
            let mut names: Vec<_> =
                headers.keys().map(HeaderName::as_str).filter(|name| *name != "connection").collect();
            names.sort_unstable();
            assert_eq!(names, rest, "{connection:?}");
        }
    }

    #[test]
    fn of_the_list_itself_only_the_wish_to_switch_is_left() {
        for (connection, left) in [
            (&["close, X-A"][..], None),
            (&["X-A", "keep-alive"], None),
            (&["keep-alive, Upgrade"], Some("upgrade")),
            (&["x-a", "UPGRADE"], Some("upgrade")),
            // These list no header that could be set later.
            (&["keep-alive"], Some("keep-alive")),
            (&["Upgrade"], Some("Upgrade")),
        ] {
            let mut headers = HeaderMap::new();
            for line in connection {
                headers.append(header::CONNECTION, HeaderValue::from_str(line).unwrap());
            }
            strip_listed(&mut headers);
            let lines: Vec<_> = headers.get_all(header::CONNECTION).iter().collect();
            assert_eq!(lines, left.into_iter().collect::<Vec<_>>(), "{connection:?}");
        }
    }
}
