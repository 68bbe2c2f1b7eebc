//! A proxy of bytes in front of an upstream that does what networks and dying processes do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::Port;

/// What goes wrong. It holds for requests that come from now on, on open connections too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Everything passes, but so much later.
    Delay(Duration),
    /// The connection is closed when a request comes.
    Drop,
    /// The connection is reset when a request comes.
    Reset,
    /// So many bytes of the response pass, then the connection is closed.
    Truncate(usize),
    /// So many bytes of the response pass, then the connection is reset.
    ResetAfter(usize),
    /// Requests are taken and never answered.
    BlackHole,
    /// Nobody listens, and open connections are closed.
    Refuse,
}

/// The proxy, running until dropped.
#[derive(Debug)]
pub struct FaultProxy {
    port: Port,
    fault: Arc<Mutex<Fault>>,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// Whether to listen, and whom to tell when it is so.
type Order = (bool, oneshot::Sender<()>);

impl FaultProxy {
    /// In front of this address, without a fault.
    pub fn to(upstream: SocketAddr) -> Self {
        let port = Port::free();
        let address = port.address();
        let listener = listen(address);
        let fault = Arc::new(Mutex::new(Fault::None));
        let (orders, ordered) = mpsc::unbounded_channel();
        let relay = Relay { upstream, fault: Arc::clone(&fault) };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(relay.run(listener, address, ordered));
        });
        Self { port, fault, orders, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Lets this go wrong from now on.
    ///
    /// # Panics
    /// When the port cannot be had again after [`Fault::Refuse`].
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().expect("no panic inside") = fault;
        let (done, is_done) = oneshot::channel();
        self.orders.send((fault != Fault::Refuse, done)).expect("the proxy runs");
        is_done.blocking_recv().expect("the proxy listens as told");
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The thread ends when nobody can order anything any more.
        let (gone, _) = mpsc::unbounded_channel();
        self.orders = gone;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn listen(address: SocketAddr) -> std::net::TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    // The port is still known from the connections of the time before.
    socket.set_reuse_address(true).expect("an option");
    socket.bind(&address.into()).expect("our port");
    socket.listen(1024).expect("listening");
    socket.set_nonblocking(true).expect("a socket for tokio");
    socket.into()
}

#[derive(Clone)]
struct Relay {
    upstream: SocketAddr,
    fault: Arc<Mutex<Fault>>,
}

impl Relay {
    async fn run(
        self,
        listener: std::net::TcpListener,
        address: SocketAddr,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        let mut listener = Some(TcpListener::from_std(listener).expect("a listener"));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some((is_listening, done)) = order else { return };
                    if !is_listening {
                        listener = None;
                        connections.shutdown().await;
                    } else if listener.is_none() {
                        listener = Some(TcpListener::from_std(listen(address)).expect("a listener"));
                    }
                    let _ = done.send(());
                }
                Ok((stream, _)) = accepted(listener.as_ref()) => {
                    let relay = self.clone();
                    connections.spawn(async move { relay.pass(stream).await });
                }
            }
        }
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().expect("no panic inside")
    }

    /// One connection; `None` when it has ended.
    async fn pass(&self, mut client: TcpStream) -> Option<()> {
        let mut upstream = TcpStream::connect(self.upstream).await.ok()?;
        let (mut request, mut response) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        let mut passed = 0;
        loop {
            tokio::select! {
                read = client.read(&mut request) => {
                    let count = read.ok().filter(|count| *count > 0)?;
                    passed = 0;
                    match self.fault() {
                        Fault::Drop | Fault::Refuse => return None,
                        Fault::Reset => return reset(client),
                        Fault::BlackHole => while client.read(&mut request).await.ok()? > 0 {},
                        Fault::Delay(delay) => tokio::time::sleep(delay).await,
                        Fault::None | Fault::Truncate(_) | Fault::ResetAfter(_) => {}
                    }
                    upstream.write_all(&request[..count]).await.ok()?;
                }
                read = upstream.read(&mut response) => {
                    let count = read.ok().filter(|count| *count > 0)?;
                    let (Fault::Truncate(limit) | Fault::ResetAfter(limit)) = self.fault() else {
                        client.write_all(&response[..count]).await.ok()?;
                        continue;
                    };
                    let most = count.min(limit.saturating_sub(passed));
                    client.write_all(&response[..most]).await.ok()?;
                    passed += most;
                    if passed == limit {
                        return if matches!(self.fault(), Fault::Truncate(_)) { None } else { reset(client) };
                    }
                }
            }
        }
    }
}

/// Ends a connection with a reset.
fn reset(client: TcpStream) -> Option<()> {
    let _ = client.set_zero_linger();
    None
}

async fn accepted(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}
