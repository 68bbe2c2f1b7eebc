//! The requests of a turn, made before it begins.

use super::{Protocol, Work, http2};

/// More different requests than this are not made, but spread over all numbers.
const MOST: usize = 10_000;

/// Requests, ready to be sent one after the other.
pub(super) struct Requests {
    ready: Vec<Vec<u8>>,
    next: usize,
}

impl Requests {
    pub(super) fn new(work: &Work) -> Self {
        let ready = numbers(work.numbers).map(|number| match work.protocol {
            Protocol::Http1 => http1(work, number),
            Protocol::Http2 => http2::head_block(work, number),
        });
        Self { ready: ready.collect(), next: 0 }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> &[u8] {
        let place = self.next;
        self.next = if place + 1 < self.ready.len() { place + 1 } else { 0 };
        self.ready.get(place).map_or(&[], Vec::as_slice)
    }
}

/// The numbers that are asked for, spread over all there are, in an order that no cache likes.
fn numbers(count: usize) -> impl Iterator<Item = usize> {
    let (asked, step) = (count.clamp(1, MOST), (count / MOST).max(1));
    // A prime that divides no power of ten, so that every place has its turn once.
    (0..asked).map(move |place| place * 7919 % asked * step)
}

/// The text with a number in its place.
pub(super) fn numbered(text: &str, number: usize) -> String {
    text.replace("{n}", &number.to_string())
}

fn http1(work: &Work, number: usize) -> Vec<u8> {
    let method = if work.body > 0 { "POST" } else { "GET" };
    let path = numbered(&work.path, number);
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: towergate-peers\r\nAccept: */*\r\n");
    if !work.header.is_empty() {
        request += &numbered(&work.header, number);
        request += "\r\n";
    }
    if work.body > 0 {
        request += &format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", work.body);
    }
    request += "\r\n";
    let mut request = request.into_bytes();
    request.resize(request.len() + work.body, b'y');
    request
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_numbers_or_a_spread_of_them_are_asked_for() {
        for (count, asked, largest) in [(1, 1, 0), (100, 100, 99), (10_000, 10_000, 9999), (1_000_000, 10_000, 999_900)]
        {
            let numbers: HashSet<_> = numbers(count).collect();
            assert_eq!((numbers.len(), numbers.iter().max()), (asked, Some(&largest)));
        }
    }

    #[test]
    fn requests_follow_each_other_in_a_circle() {
        let work = Work { path: "/r{n}".into(), header: "apikey: k{n}".into(), numbers: 2, ..Work::default() };
        let mut requests = Requests::new(&work);
        let lines: Vec<_> = (0..3).map(|_| String::from_utf8(requests.next().to_vec()).unwrap()).collect();
        assert!(lines[0].starts_with("GET /r0 HTTP/1.1\r\n") && lines[0].contains("\r\napikey: k0\r\n"), "{lines:?}");
        assert!(lines[1].starts_with("GET /r1 HTTP/1.1\r\n"));
        assert_eq!(lines[0], lines[2]);
    }

    #[test]
    fn a_body_is_announced_and_sent() {
        let request = http1(&Work { body: 5, ..Work::default() }, 0);
        let text = String::from_utf8(request).unwrap();
        assert!(
            text.starts_with("POST / HTTP/1.1\r\n") && text.ends_with("\r\nContent-Length: 5\r\n\r\nyyyyy"),
            "{text}"
        );
    }
}
