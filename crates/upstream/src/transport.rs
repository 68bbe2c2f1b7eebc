//! What carries a connection to an upstream: a socket, or what was put over it.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use towergate_tls::{Client, explain};

use crate::{
    connections::Counted,
    error::{Error, Kind},
};

/// What a connection is made to; connections are interchangeable only if all of it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Where to connect to.
    pub(crate) address: SocketAddr,
    /// How it is secured, if it is.
    pub(crate) tls: Option<Secured>,
}

/// How a connection is secured: what was checked for one trust or one name says nothing of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secured {
    /// Whom we trust and who we are.
    pub(crate) client: Client,
    /// Who the upstream is to be.
    pub(crate) name: Arc<str>,
}

/// What carries a connection to an upstream.
#[derive(Debug)]
pub(crate) struct Transport {
    stream: Stream,
    /// Where it counts as open.
    _counted: Option<Counted>,
}

#[derive(Debug)]
enum Stream {
    /// In cleartext.
    Tcp(TcpStream),
    /// Over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Connects within the time given; a handshake has as long once more.
    pub(crate) async fn dial(key: &Key, limit: Duration) -> Result<Self, Error> {
        let address = key.address;
        let socket = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(cause)) => return Err(Error::new(Kind::Connect(address)).because(cause)),
            Err(_) => return Err(Error::new(Kind::ConnectTimeout(address, limit))),
        };
        // A socket that cannot be told so still works.
        let _ = socket.set_nodelay(true);
        let Some(Secured { client, name }) = &key.tls else { return Ok(Self::over(Stream::Tcp(socket))) };
        match timeout(limit, client.connect(name, address.ip(), socket)).await {
            Ok(Ok(stream)) => Ok(Self::over(Stream::Tls(Box::new(stream)))),
            Ok(Err(cause)) => Err(Error::new(Kind::Handshake(address)).because(explain(&cause))),
            Err(_) => Err(Error::new(Kind::HandshakeTimeout(address, limit))),
        }
    }

    fn over(stream: Stream) -> Self {
        Self { stream, _counted: None }
    }

    /// Whether nothing has happened on it as far as is known, neither bytes nor its end; `None` over TLS, where only reading
    /// tells.
    pub(crate) fn is_quiet(&self) -> Option<bool> {
        let Stream::Tcp(socket) = &self.stream else { return None };
        // Without anybody who would have to be woken. A byte that were read had no business there.
        Some(socket.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
    }

    /// Counts as open there, until it is closed.
    pub(crate) fn counted(self, counted: Counted) -> Self {
        Self { _counted: Some(counted), ..self }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tcp(socket) => socket.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
