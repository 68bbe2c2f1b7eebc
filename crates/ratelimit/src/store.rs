//! Where requests are counted.

use std::{fmt, future::Future, pin::Pin, time::SystemTime};

use smallvec::SmallVec;

use crate::{
    identifier::Identifier,
    window::{Cell, Window},
};

/// Where requests are counted: checked against the limits and counted in one step, so that no two
/// requests ever take the same last place.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The same at once, for a store that never has to be waited for: tells the cells what had been counted in them, and
    /// whether the request may go on. `None` if it is to be [counted](Self::count) otherwise.
    fn count_now(&self, _count: &mut Count<'_>) -> Option<bool> {
        None
    }

    /// Checks a request against all windows, and counts it if all of them let it through.
    fn count(&self, count: Count<'_>) -> Counting;
}

/// A request to be counted.
#[derive(Debug)]
pub struct Count<'a> {
    /// Whose it is.
    pub identifier: Identifier<'a>,
    /// In which windows.
    pub windows: &'a [Window],
    /// The cells of these windows, in their order.
    pub cells: Cells,
    /// Whether a request that is refused is counted, too.
    pub penalty: bool,
    /// When it came, in milliseconds since 1970.
    pub now: u64,
}

/// The cells of a request: no allocation for up to two.
pub type Cells = SmallVec<[Cell; 2]>;

impl<'a> Count<'a> {
    /// A request that counts once in each of these windows.
    pub fn new(identifier: Identifier<'a>, windows: &'a [Window], now: u64) -> Self {
        let cells = windows.iter().map(|window| window.cell(now, 1)).collect();
        Self { identifier, windows, cells, penalty: false, now }
    }
}

/// What was found and done.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Whether the request may go on.
    pub admitted: bool,
    /// The cells with what had been counted in them before.
    pub cells: Cells,
}

/// A count that is done, or to be waited for.
pub enum Counting {
    /// Done.
    Done(Result<Counted, StoreError>),
    /// Done when this future is.
    Later(Pin<Box<dyn Future<Output = Result<Counted, StoreError>> + Send>>),
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// Why a store did not answer. It has been logged and counted by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(String);

impl StoreError {
    /// Says what happened.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

/// A moment as milliseconds since 1970.
pub(crate) fn milliseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
