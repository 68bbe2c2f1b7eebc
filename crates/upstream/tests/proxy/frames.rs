//! An HTTP/2 upstream that writes its frames itself, for what no library would do.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Upstream, within};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// `:status: 200`, the eighth entry of HPACK's static table.
pub(crate) const STATUS_200: &[u8] = &[0x88];

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

/// The upstream's end of a connection.
pub(crate) struct FramePeer {
    stream: TcpStream,
}

impl FramePeer {
    /// Takes a connection and exchanges settings.
    pub(crate) async fn accept(upstream: &Upstream) -> Self {
        let mut stream = upstream.accept().await.stream;
        let mut preface = [0; 24];
        within(stream.read_exact(&mut preface)).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut peer = Self { stream };
        peer.send(SETTINGS, 0, 0, &[]).await;
        peer
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        within(self.stream.write_all(&bytes)).await.unwrap();
    }

    /// The next frame that is part of a request.
    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            let mut head = [0; 9];
            within(self.stream.read_exact(&mut head)).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            within(self.stream.read_exact(&mut payload)).await.unwrap();
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let frame = Frame { kind: head[3], flags: head[4], stream };
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                SETTINGS | WINDOW_UPDATE => {}
                _ => return frame,
            }
        }
    }

    /// The next request's stream, when it has ended.
    pub(crate) async fn request(&mut self) -> u32 {
        loop {
            let frame = self.next().await;
            if frame.kind <= HEADERS && frame.flags & END_STREAM != 0 {
                return frame.stream;
            }
        }
    }

    /// Says goodbye: requests up to this stream are still served.
    pub(crate) async fn goodbye(&mut self, last: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), 0u32.to_be_bytes()].concat()).await;
    }

    /// Answers a request with these bytes.
    pub(crate) async fn answer(&mut self, stream: u32, body: &[u8]) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(DATA, END_STREAM, stream, body).await;
    }
}
