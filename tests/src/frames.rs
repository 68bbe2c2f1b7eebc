//! An HTTP/2 client that sends exact frames.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Frame, flag, kind, uninterrupted};

/// A client gives up after this long without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// What a client sends before all frames.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One HTTP/2 connection, frame by frame.
#[derive(Debug)]
pub struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Frames {
    /// Connects, and exchanges settings: these and the gateway's.
    ///
    /// # Panics
    /// When nobody accepts, or nobody speaks HTTP/2 there.
    #[track_caller]
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut frames = Self::bare(address);
        frames.send(PREFACE);
        frames.send(Frame::settings(settings).bytes());
        frames.until(|frame| frame.kind == kind::SETTINGS && !frame.has(flag::ACK));
        frames.until(|frame| frame.kind == kind::SETTINGS && frame.has(flag::ACK));
        frames.send(Frame::new(kind::SETTINGS, flag::ACK, 0, []).bytes());
        frames
    }

    /// Connects and says nothing.
    ///
    /// # Panics
    /// When nobody accepts.
    #[track_caller]
    pub fn bare(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, SILENCE).expect("somebody accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(SILENCE)).expect("a socket");
        stream.set_write_timeout(Some(SILENCE)).expect("a socket");
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is broken.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("sending");
    }

    /// Sends frames, as far as the other side takes them; answers whether it took all.
    pub fn send_all(&mut self, frames: impl IntoIterator<Item = Frame>) -> bool {
        let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.bytes()).collect();
        self.stream.write_all(&bytes).is_ok()
    }

    /// The next frame; `None` at the end of the connection.
    ///
    /// # Panics
    /// When the other side stays silent without closing.
    #[track_caller]
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.buffer) {
                return Some(frame);
            }
            let mut bytes = [0; 16 * 1024];
            match uninterrupted(|| self.stream.read(&mut bytes)) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return None;
                }
                Err(error) => panic!("waiting for a frame: {error}"),
            }
        }
    }

    /// The next frame of which this holds.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn until(&mut self, holds: impl Fn(&Frame) -> bool) -> Frame {
        let mut others = Vec::new();
        loop {
            match self.next_frame() {
                Some(frame) if holds(&frame) => return frame,
                Some(frame) => others.push(frame),
                None => panic!("the connection ended; before that came {others:?}"),
            }
        }
    }

    /// The next frame of this kind on this stream.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn until_kind(&mut self, kind: u8, stream: u32) -> Frame {
        self.until(|frame| frame.kind == kind && frame.stream == stream)
    }

    /// All frames until the end of the connection.
    ///
    /// # Panics
    /// When the other side stays silent without closing.
    #[track_caller]
    pub fn drained(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next_frame()).collect()
    }

    /// The code of the last `GOAWAY` before the end of the connection, if there was any.
    ///
    /// # Panics
    /// When the other side stays silent without closing.
    #[track_caller]
    pub fn farewell(&mut self) -> Option<u32> {
        self.drained().iter().rfind(|frame| frame.kind == kind::GOAWAY).map(Frame::code)
    }

    /// Waits until the other side has looked at all that was sent.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn settle(&mut self) {
        self.send(Frame::ping().bytes());
        self.until(|frame| frame.kind == kind::PING && frame.has(flag::ACK));
    }

    /// Says that nothing more will be sent, and keeps listening.
    pub fn finish_sending(&self) {
        // A connection that is already gone needs no farewell.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}
