//! Waiting at sockets that have a limit for their silence.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

/// Does something that waits, once more as often as the system has interrupted it.
///
/// Of all that waits, Linux lets only sockets with a time limit come back with `EINTR` when the process is stopped and goes
/// on (signal(7)), or the whole machine is, to be saved or moved.
///
/// # Errors
/// Those of what is done.
pub fn uninterrupted<T>(mut wait: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match wait() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A socket for a library that does not expect to be interrupted.
#[derive(Debug)]
pub struct Patient(pub(crate) TcpStream);

impl Read for Patient {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.read(bytes))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_no_error() {
        let mut looks = 0;
        let done = uninterrupted(|| {
            looks += 1;
            if looks < 3 { Err(ErrorKind::Interrupted.into()) } else { Ok(looks) }
        });
        assert_eq!(done.unwrap(), 3);
        assert!(uninterrupted(|| Err::<(), _>(ErrorKind::TimedOut.into())).is_err());
    }
}
