//! Maps that are used again.
//!
//! A map of headers takes two allocations, that of extensions two as well. Each thread keeps some that are empty, so that
//! messages that come one after the other on its connections take none of their own.

use std::cell::RefCell;

use http::{Extensions, HeaderMap, header::MaxSizeReached};

/// How many maps a thread keeps.
const KEPT: usize = 64;

/// How many header lines there is room for in a map that is kept, at most.
const ROOM: usize = 64;

thread_local! {
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
    static EXTENSIONS: RefCell<Vec<Extensions>> = const { RefCell::new(Vec::new()) };
}

/// An empty map with room for so many header lines.
///
/// # Errors
/// If that is more than a map can have.
pub(crate) fn headers(lines: usize) -> Result<HeaderMap, MaxSizeReached> {
    match HEADERS.with_borrow_mut(Vec::pop).filter(|map| map.capacity() >= lines) {
        Some(map) => Ok(map),
        None => HeaderMap::try_with_capacity(lines),
    }
}

/// Extensions without anything in them.
pub(crate) fn extensions() -> Extensions {
    EXTENSIONS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Takes back the maps of a message that nobody needs any more: what is in them is dropped, what they have taken of memory
/// is used again by messages that this thread reads.
pub fn reuse(headers: HeaderMap, extensions: Extensions) {
    reuse_headers(headers);
    reuse_extensions(extensions);
}

fn reuse_headers(mut headers: HeaderMap) {
    if !(1..=ROOM).contains(&headers.capacity()) {
        return;
    }
    headers.clear();
    HEADERS.with_borrow_mut(|kept| {
        if kept.len() < KEPT {
            kept.push(headers);
        }
    });
}

fn reuse_extensions(mut extensions: Extensions) {
    // What is in there is dropped before the thread's list is touched: it may be anything.
    extensions.clear();
    EXTENSIONS.with_borrow_mut(|kept| {
        if kept.len() < KEPT {
            kept.push(extensions);
        }
    });
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn maps_come_back_empty() {
        let mut map = headers(3).unwrap();
        let room = map.capacity();
        for number in 0..3 {
            map.append(header::VIA, HeaderValue::from(number));
            map.append(header::HOST, HeaderValue::from(number));
        }
        let mut things = extensions();
        things.insert("thing");
        reuse(map, things);
        let map = headers(1).unwrap();
        assert!(map.is_empty() && map.capacity() >= room && map.get(header::VIA).is_none());
        assert!(extensions().get::<&str>().is_none());
    }

    #[test]
    fn large_maps_are_not_kept() {
        while HEADERS.with_borrow_mut(Vec::pop).is_some() {}
        reuse(headers(ROOM + 100).unwrap(), extensions());
        assert!(HEADERS.with_borrow(Vec::is_empty));
        for _ in 0..2 * KEPT {
            reuse(HeaderMap::with_capacity(2), Extensions::new());
        }
        assert_eq!(HEADERS.with_borrow(Vec::len), KEPT);
        assert!(headers(usize::MAX).is_err());
    }
}
