//! The upstream of all proxies: answers what it is asked for at so little cost that it is not what is measured.
//!
//! `/10k` and `/1m` anywhere in a path ask for 10 KiB and 1 MiB, every other path for 128 bytes. Bodies of requests are
//! read to their end and forgotten.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use memchr::memmem;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

use crate::Problem;

const LISTENER: Token = Token(usize::MAX);

/// Serves until it is told to stop.
pub(crate) fn serve(port: u16) -> Result<(), Problem> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut connections) = (Events::with_capacity(512), Vec::<Option<Connection>>::new());
    let (answers, mut buffer) = (Answers::new(), vec![0; 64 * 1024]);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections, &answers)?;
                continue;
            }
            let Some(slot) = connections.get_mut(event.token().0) else { continue };
            if slot.as_mut().is_some_and(|connection| connection.serve(&answers, &mut buffer).is_err()) {
                *slot = None;
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Vec<Option<Connection>>,
    answers: &Answers,
) -> io::Result<()> {
    while let Ok((mut socket, _)) = listener.accept() {
        socket.set_nodelay(true)?;
        let place = connections.iter().position(Option::is_none).unwrap_or(connections.len());
        poll.registry().register(&mut socket, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        let connection = Connection::new(socket, answers.small.clone());
        match connections.get_mut(place) {
            Some(slot) => *slot = Some(connection),
            None => connections.push(Some(connection)),
        }
    }
    Ok(())
}

/// Complete responses.
struct Answers {
    small: Rc<[u8]>,
    medium: Rc<[u8]>,
    large: Rc<[u8]>,
}

impl Answers {
    fn new() -> Self {
        Self { small: answer(128), medium: answer(10 << 10), large: answer(1 << 20) }
    }

    fn to(&self, head: &[u8]) -> &Rc<[u8]> {
        let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match target {
            _ if target.ends_with(b"/10k") => &self.medium,
            _ if target.ends_with(b"/1m") => &self.large,
            _ => &self.small,
        }
    }
}

fn answer(length: usize) -> Rc<[u8]> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: upstream\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut whole = head.into_bytes();
    whole.resize(whole.len() + length, b'x');
    whole.into()
}

/// What is being read.
#[derive(Debug, PartialEq)]
enum State {
    Head,
    /// A body of which so much is to come.
    Body(usize),
    /// A body in chunks, up to the last one.
    Chunks,
}

/// A proxy's connection, with one request at a time.
struct Connection {
    socket: TcpStream,
    state: State,
    /// The beginning of a head or of a last chunk that is not complete.
    rest: Vec<u8>,
    answer: Rc<[u8]>,
    /// How much of the answer was sent.
    sent: usize,
}

impl Connection {
    fn new(socket: TcpStream, answer: Rc<[u8]>) -> Self {
        let sent = answer.len();
        Self { socket, state: State::Head, rest: Vec::new(), answer, sent }
    }

    /// Goes on as far as it can. An error is the end of the connection.
    fn serve(&mut self, answers: &Answers, buffer: &mut [u8]) -> io::Result<()> {
        self.send()?;
        loop {
            let count = match self.socket.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.take(buffer.get(..count).unwrap_or_default(), answers) {
                self.sent = 0;
                self.send()?;
            }
            // A read that did not fill the buffer has emptied the socket.
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Takes what was read; whether a request is complete.
    fn take(&mut self, bytes: &[u8], answers: &Answers) -> bool {
        match self.state {
            State::Head if self.rest.is_empty() => self.take_head(bytes, answers),
            State::Head => {
                let mut all = std::mem::take(&mut self.rest);
                all.extend_from_slice(bytes);
                self.take_head(&all, answers)
            }
            State::Body(left) => self.take_body(left, bytes.len()),
            State::Chunks => self.take_chunks(bytes),
        }
    }

    fn take_head(&mut self, bytes: &[u8], answers: &Answers) -> bool {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            self.rest = bytes.to_vec();
            return false;
        };
        let (head, body) = bytes.split_at(end + 4);
        self.answer = answers.to(head).clone();
        if !head.starts_with(b"P") {
            return true;
        }
        if is_chunked(head) {
            self.state = State::Chunks;
            return self.take_chunks(body);
        }
        self.take_body(content_length(head), body.len())
    }

    fn take_body(&mut self, left: usize, come: usize) -> bool {
        let left = left.saturating_sub(come);
        self.state = if left == 0 { State::Head } else { State::Body(left) };
        left == 0
    }

    fn take_chunks(&mut self, bytes: &[u8]) -> bool {
        const END: &[u8] = b"0\r\n\r\n";
        self.rest.extend_from_slice(bytes);
        if self.rest.ends_with(END) {
            self.rest.clear();
            self.state = State::Head;
            return true;
        }
        let known = self.rest.len().saturating_sub(END.len());
        self.rest.drain(..known);
        false
    }

    fn send(&mut self) -> io::Result<()> {
        while let Some(left) = self.answer.get(self.sent..).filter(|left| !left.is_empty()) {
            match self.socket.write(left) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Proxies write names as they like.
fn content_length(head: &[u8]) -> usize {
    value(head, b"content-length").and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok()).unwrap_or(0)
}

fn is_chunked(head: &[u8]) -> bool {
    value(head, b"transfer-encoding").is_some()
}

fn value<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let (written, rest) = line.split_at_checked(name.len())?;
        written.eq_ignore_ascii_case(name).then_some(rest.strip_prefix(b":")?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(answers: &Answers) -> Connection {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Connection::new(socket, answers.small.clone())
    }

    /// After which of the pieces a request was complete.
    fn complete_after(pieces: &[&[u8]]) -> Vec<usize> {
        let answers = Answers::new();
        let mut connection = connection(&answers);
        let complete = pieces.iter().enumerate().filter(|(_, piece)| connection.take(piece, &answers));
        complete.map(|(number, _)| number).collect()
    }

    #[test]
    fn a_request_is_complete_with_its_body_however_it_comes() {
        let table: [(&[&[u8]], &[usize]); 6] = [
            (&[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], &[0]),
            (&[b"GET / HTTP/1.1\r\nHo", b"st: a\r\n\r", b"\n", b"GET / HTTP/1.1\r\n\r\n"], &[2, 3]),
            (&[b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhe", b"ll", b"o"], &[2]),
            (&[b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"], &[0]),
            (&[b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r", b"\n\r", b"\n"], &[2]),
            (&[b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"], &[0]),
        ];
        for (pieces, expected) in table {
            assert_eq!(complete_after(pieces), expected, "{:?}", String::from_utf8_lossy(&pieces.concat()));
        }
    }

    #[test]
    fn the_path_says_how_much_is_wanted() {
        let answers = Answers::new();
        for (line, length) in [
            ("GET / HTTP/1.1", 128),
            ("GET /a/10k HTTP/1.1", 10 << 10),
            ("POST /1m HTTP/1.0", 1 << 20),
            ("GET /10kb HTTP/1.1", 128),
        ] {
            let answer = answers.to(line.as_bytes());
            let end = memmem::find(answer, b"\r\n\r\n").unwrap() + 4;
            assert_eq!((answer.len() - end, content_length(&answer[..end])), (length, length), "{line}");
        }
    }
}
