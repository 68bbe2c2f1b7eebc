//! Where a connection's socket is kept.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard},
};

use super::io::{Io, lock};

/// Where a connection's socket is kept: by the connection alone, until a body is to be read elsewhere. From then on body
/// and connection share it.
pub(super) enum Place<T> {
    Own(Io<T>),
    Shared(Arc<Mutex<Io<T>>>),
}

impl<T> Place<T> {
    pub(super) fn new(stream: T) -> Self {
        Self::Own(Io::new(stream))
    }

    /// The socket, to do something with it.
    pub(super) fn io(&mut self) -> Held<'_, T> {
        match self {
            Self::Own(io) => Held::Own(io),
            Self::Shared(io) => Held::Shared(lock(io)),
        }
    }

    /// The socket, to be shared from now on.
    pub(super) fn share(&mut self) -> Arc<Mutex<Io<T>>> {
        let shared = match self {
            Self::Shared(io) => return io.clone(),
            Self::Own(io) => Arc::new(Mutex::new(io.take())),
        };
        *self = Self::Shared(shared.clone());
        shared
    }
}

/// A socket while something is done with it.
pub(super) enum Held<'a, T> {
    Own(&'a mut Io<T>),
    Shared(MutexGuard<'a, Io<T>>),
}

impl<T> Deref for Held<'_, T> {
    type Target = Io<T>;

    fn deref(&self) -> &Io<T> {
        match self {
            Self::Own(io) => io,
            Self::Shared(io) => io,
        }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut Io<T> {
        match self {
            Self::Own(io) => io,
            Self::Shared(io) => io,
        }
    }
}
