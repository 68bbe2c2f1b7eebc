//! Buffers that no connection keeps: each thread has one block to read into and one vector to write
//! heads to, for whichever of its connections is at it.
//!
//! An idle connection holds no buffer at all, and a request costs no allocation for one: what it has
//! read is a part of the block, which goes on to the next when its rest is too small.

use std::cell::Cell;

use bytes::BytesMut;

/// How large a block is. A request keeps the block alive that its head was read into, so there
/// should not be much more in it than a few heads.
const BLOCK: usize = 32 * 1024;

/// How much room there is at least for one read: a head, and a small body with it.
const ROOM: usize = 16 * 1024;

/// The capacity of a vector that is worth to be kept.
const KEPT: usize = 64 * 1024;

thread_local! {
    static READING: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static WRITING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the block, with room for a read. What is read is to be split off.
pub(super) fn with_block<R>(read: impl FnOnce(&mut BytesMut) -> R) -> R {
    // Taken out: should `read` come here again, it gets another one.
    let mut block = READING.take().unwrap_or_default();
    if block.capacity() < ROOM && !block.try_reclaim(ROOM) {
        block = BytesMut::with_capacity(BLOCK);
    }
    let result = read(&mut block);
    READING.set(Some(block));
    result
}

/// An empty vector to write to.
pub(super) fn take_vector() -> Vec<u8> {
    WRITING.take()
}

/// Gives a vector back whose content is not needed any more.
pub(super) fn give_back(mut vector: Vec<u8>) {
    if vector.capacity() <= KEPT {
        vector.clear();
        WRITING.set(vector);
    }
}
