//! An address where connecting neither succeeds nor fails.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A listener whose queue is full and never emptied: the kernel drops further connection attempts silently.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: Socket,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    /// Opens the listener and fills its queue.
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        listener.listen(0).expect("listening");
        let address = listener.local_addr().expect("bound").as_socket().expect("an IP address");
        Self { address, _listener: listener, _queued: fill(address) }
    }

    /// Where connection attempts vanish.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Connects until an attempt gets no answer.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut queued = Vec::new();
    loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(stream) => queued.push(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => return queued,
            Err(error) => panic!("filling the queue of {address}: {error}"),
        }
    }
}
