//! What the requests of one client, user or thing are kept together by.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header, request::Parts};
use towergate_core::{Balancing, Context, HashInput, StickyCookie};
use uuid::Uuid;

/// The hash of a request's key, and the cookie that makes the client bring it again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HashKey {
    pub(crate) hash: u32,
    /// The `Set-Cookie` for a client that had no cookie.
    pub(crate) cookie: Option<HeaderValue>,
}

impl HashKey {
    /// The key of this request, by what the upstream hashes on or else falls back to. Requests of
    /// which neither is there all have the same key, as in Kong.
    pub(crate) fn of(balancing: &Balancing, cx: &Context, head: &Parts) -> Self {
        let mut cookie = None;
        let inputs = [&balancing.hash_on, &balancing.hash_fallback];
        let key = inputs.into_iter().find_map(|input| match input {
            HashInput::Cookie { name, path } => Some(brought(&head.headers, name).map_or_else(
                || {
                    let value = Uuid::new_v4().to_string().into_bytes();
                    cookie = set_cookie(name, &value, path);
                    value.into()
                },
                Cow::from,
            )),
            input => value(input, cx, head),
        });
        Self { hash: towergate_lb::hash(&key.unwrap_or_default()), cookie }
    }
}

/// What the request has for this; `None` if it has nothing.
fn value<'a>(input: &HashInput, cx: &'a Context, head: &'a Parts) -> Option<Cow<'a, [u8]>> {
    let text = |text: String| Cow::Owned(text.into_bytes());
    match input {
        HashInput::None | HashInput::Cookie { .. } => None,
        HashInput::Consumer => {
            let id = cx.consumer().map(|consumer| consumer.id).or(cx.credential().map(|credential| credential.id));
            id.map(|id| text(id.to_string()))
        }
        HashInput::Ip => cx.client.address.map(|address| text(address.to_string())),
        HashInput::Header(name) => {
            let values: Vec<_> = head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            (!values.is_empty()).then(|| values.join(&b", "[..]).into())
        }
        HashInput::Path => Some(cx.matched.path.as_bytes().into()),
        HashInput::QueryArg(name) => argument(head.uri.query()?.as_bytes(), name.as_bytes()).map(Cow::Owned),
        HashInput::UriCapture(name) => {
            let captures = cx.matched.captures.iter();
            captures.rev().find(|(known, _)| known == name).map(|(_, value)| value.as_bytes().into())
        }
    }
}

/// The values of a query argument in their order as texts, with commas between.
fn argument(query: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut values: Vec<_> = query
        .split(|byte| *byte == b'&')
        .map(|segment| match segment.iter().position(|byte| *byte == b'=') {
            Some(at) => (segment.get(..at).unwrap_or_default(), segment.get(at.saturating_add(1)..)),
            None => (segment, None),
        })
        .filter(|(known, _)| decoded(known) == name)
        // One without `=` is Lua's `true`.
        .map(|(_, value)| value.map_or(b"true".to_vec(), decoded))
        .collect();
    values.sort_unstable();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

/// The value of a cookie that the client has brought.
pub(crate) fn brought<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")).next()
}

/// The cookie that brings a client back to its target.
pub(crate) fn session_cookie(cookie: &StickyCookie, token: &str) -> Option<HeaderValue> {
    let (name, path) = (&cookie.name, &cookie.path);
    HeaderValue::try_from(format!("{name}={token}; Path={path}; SameSite=Lax; HttpOnly")).ok()
}

/// In Kong's words, its `Same-Site` (which browsers do not know) included.
fn set_cookie(name: &str, value: &[u8], path: &str) -> Option<HeaderValue> {
    let value = [name.as_bytes(), b"=", value, b"; Path=", path.as_bytes(), b"; Same-Site=Lax; HttpOnly"].concat();
    HeaderValue::from_bytes(&value).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Request};
    use towergate_core::{Client, Matched, Timing};
    use towergate_lb::hash;

    use super::*;

    fn upstream(hash_on: HashInput, hash_fallback: HashInput) -> Balancing {
        Balancing { hash_on, hash_fallback, ..Balancing::new(Uuid::nil(), "up", vec![]) }
    }

    /// A request from 192.0.2.7 for `/u/7?…` on a route that captures the number.
    fn request(query: &str, headers: &[(&'static str, &str)]) -> (Context, Parts) {
        let mut request = Request::get(format!("http://shop.test/u/7{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let client = Client { address: Some("192.0.2.7".parse().unwrap()), ..Client::default() };
        let mut cx = Context::new(client, &head, Timing::start(), None);
        let captures = [("0", "/u/7"), ("1", "7"), ("user", "7")].map(|(name, text)| (name.into(), text.into()));
        cx.matched = Matched { path: "/u/7".into(), captures: captures.into(), ..Matched::default() };
        (cx, head)
    }

    fn key(hash_on: HashInput, hash_fallback: HashInput, (cx, head): &(Context, Parts)) -> HashKey {
        HashKey::of(&upstream(hash_on, hash_fallback), cx, head)
    }

    fn header(name: &'static str) -> HashInput {
        HashInput::Header(HeaderName::from_static(name))
    }

    #[test]
    fn each_input_has_its_key() {
        let full = request("?b=z&a=2&a=1%2B&c&%61=0+", &[("X-User-Id", "u1"), ("X-User-Id", "u2")]);
        let none = HashInput::None;
        for (input, expected) in [
            (HashInput::None, ""),
            (HashInput::Ip, "192.0.2.7"),
            // Dashes and capitals are no obstacle, as they are in Kong.
            (header("x-user-id"), "u1, u2"),
            (HashInput::Path, "/u/7"),
            (HashInput::QueryArg("a".into()), "0 ,1+,2"),
            (HashInput::QueryArg("c".into()), "true"),
            (HashInput::UriCapture("user".into()), "7"),
            (HashInput::UriCapture("1".into()), "7"),
        ] {
            let key = key(input.clone(), none.clone(), &full);
            assert_eq!(key, HashKey { hash: hash(expected.as_bytes()), cookie: None }, "{input:?}");
        }
    }

    #[test]
    fn what_is_not_there_falls_back_and_then_all_are_one() {
        let bare = request("", &[]);
        for missing in
            [HashInput::Consumer, header("x-user"), HashInput::QueryArg("a".into()), HashInput::UriCapture("x".into())]
        {
            assert_eq!(key(missing.clone(), HashInput::Ip, &bare).hash, hash(b"192.0.2.7"), "{missing:?}");
            assert_eq!(key(missing.clone(), HashInput::None, &bare).hash, hash(b""), "{missing:?}");
        }
    }

    #[test]
    fn a_cookie_is_used_if_it_is_there_and_given_if_not() {
        let cookie = || HashInput::Cookie { name: "sid".into(), path: "/shop".into() };
        let with = request("", &[("Cookie", "a=b; sid=me; sidx=1")]);
        assert_eq!(key(cookie(), HashInput::None, &with), HashKey { hash: hash(b"me"), cookie: None });
        let without = request("", &[("Cookie", "xsid=me")]);
        for (on, fallback) in [(cookie(), HashInput::None), (HashInput::Consumer, cookie())] {
            let made = key(on, fallback, &without);
            let set = made.cookie.unwrap();
            let (name_and_value, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            assert_eq!(attributes, " Path=/shop; Same-Site=Lax; HttpOnly");
            let value = name_and_value.strip_prefix("sid=").unwrap();
            assert!(Uuid::parse_str(value).is_ok(), "{value}");
            assert_eq!(made.hash, hash(value.as_bytes()), "the next request comes to the same target");
        }
    }
}
