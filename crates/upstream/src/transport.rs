//! What carries a connection to an upstream: a socket, or what was put over it.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use crate::error::{Error, Kind};

/// What a connection is made to; connections are interchangeable only if all of it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Where to connect to.
    pub(crate) address: SocketAddr,
}

/// What carries a connection to an upstream.
#[derive(Debug)]
pub(crate) enum Transport {
    /// In cleartext.
    Tcp(TcpStream),
}

impl Transport {
    /// Connects within the time given.
    pub(crate) async fn dial(key: &Key, limit: Duration) -> Result<Self, Error> {
        let address = key.address;
        let socket = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(cause)) => return Err(Error::new(Kind::Connect(address)).because(cause)),
            Err(_) => return Err(Error::new(Kind::ConnectTimeout(address, limit))),
        };
        // A socket that cannot be told so still works.
        let _ = socket.set_nodelay(true);
        Ok(Self::Tcp(socket))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}
