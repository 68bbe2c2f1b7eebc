//! Lines over TCP, on a connection that is kept.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{addresses, tls};

/// Where lines go, and a connection there.
pub(crate) struct Tcp {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
    pub(crate) keepalive: Duration,
    /// The name to ask for in TLS; `None` without TLS.
    tls: Option<String>,
    connector: OnceLock<TlsConnector>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    stream: Box<dyn Stream>,
    since: Instant,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Tcp {
    pub(crate) fn new(host: String, port: u16, timeout: Duration, keepalive: Duration, tls: Option<String>) -> Self {
        Self { host, port, timeout, keepalive, tls, connector: OnceLock::new(), kept: Mutex::new(None) }
    }

    /// Sends these bytes. A kept connection that the other side has closed is replaced by a new one.
    ///
    /// # Errors
    /// Why they could not be sent.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Result<(), String> {
        let sending = async {
            if let Some(mut stream) = self.take()
                && is_open(&mut stream).await
                && write(&mut stream, bytes).await.is_ok()
            {
                self.keep(stream);
                return Ok(());
            }
            let mut stream = self.connect().await?;
            write(&mut stream, bytes).await.map_err(|error| self.cannot("send data to", &error))?;
            self.keep(stream);
            Ok(())
        };
        let late = |_| Err(self.cannot("send data to", &io::Error::from(io::ErrorKind::TimedOut)));
        timeout(self.timeout, sending).await.unwrap_or_else(late)
    }

    fn take(&self) -> Option<Box<dyn Stream>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (kept.since.elapsed() < self.keepalive).then_some(kept.stream)
    }

    fn keep(&self, stream: Box<dyn Stream>) {
        let kept = Kept { stream, since: Instant::now() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let addresses = addresses(&self.host, self.port).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await;
        let stream = stream.map_err(|error| self.cannot("connect to", &error))?;
        let Some(name) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(name.clone()).map_err(|error| format!("tls_sni: {error}"))?;
        let stream = self.connector()?.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| self.cannot("perform TLS handshake to", &error))?))
    }

    /// The same for all connections: they resume each other's sessions.
    fn connector(&self) -> Result<&TlsConnector, String> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let connector = TlsConnector::from(Arc::new(tls::config()?));
        Ok(self.connector.get_or_init(|| connector))
    }

    fn cannot(&self, what: &str, error: &io::Error) -> String {
        format!("failed to {what} {}:{}: {error}", self.host, self.port)
    }
}

/// Whether the other side has not closed it: a collector says nothing, so that there is nothing to read.
async fn is_open(stream: &mut Box<dyn Stream>) -> bool {
    let mut byte = [0];
    let mut buffer = tokio::io::ReadBuf::new(&mut byte);
    let read = std::future::poll_fn(|task| {
        let read = std::pin::Pin::new(&mut *stream).poll_read(task, &mut buffer);
        std::task::Poll::Ready(read.is_pending())
    });
    read.await || !buffer.filled().is_empty()
}

async fn write(stream: &mut Box<dyn Stream>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
