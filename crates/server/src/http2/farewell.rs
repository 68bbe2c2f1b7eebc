//! The last words on an HTTP/2 connection.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::guard::Guard;

/// How long a client may take to hear the last words.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much of what it still sends is read. A socket that is closed with bytes unread resets the
/// connection, and the client may lose what it has not read yet.
const MAX_UNREAD: usize = 256 << 10;

/// Closes a connection on which nothing more is done: with a reason if the client was not calm, then
/// by waiting for its end a little.
pub(crate) async fn part(guard: &mut Guard, is_calm: bool) {
    if guard.is_ended() {
        return;
    }
    let last_words = async {
        if !is_calm || guard.is_flooded() {
            say_calm_down(guard).await?;
        }
        // It may have been shut down already.
        let _ = guard.shutdown().await;
        until_end(guard).await;
        Ok::<_, std::io::Error>(())
    };
    // A client that does not listen misses them.
    let _ = tokio::time::timeout(PATIENCE, last_words).await;
}

/// `GOAWAY`, `ENHANCE_YOUR_CALM`; nothing if a frame was torn.
async fn say_calm_down(guard: &mut Guard) -> std::io::Result<()> {
    if !guard.is_between_frames() {
        return Ok(());
    }
    guard.write_all(&go_away(guard.last_stream())).await?;
    guard.flush().await
}

/// The frame (RFC 9113 section 6.8).
fn go_away(last_stream: u32) -> [u8; 17] {
    const HEAD: [u8; 9] = [0, 0, 8, 7, 0, 0, 0, 0, 0];
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0x0b];
    let mut frame = [0; 17];
    let bytes = HEAD.into_iter().chain(last_stream.to_be_bytes()).chain(ENHANCE_YOUR_CALM);
    frame.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    frame
}

/// Reads and forgets until the client has closed, or has sent too much.
fn until_end(guard: &mut Guard) -> impl Future<Output = ()> {
    let mut left = MAX_UNREAD;
    poll_fn(move |cx| {
        let mut bytes = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(guard.unwatched()).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && left > 0 => {
                    left = left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_names_the_last_stream_and_the_reason() {
        assert_eq!(go_away(0x0102_0305), [0, 0, 8, 7, 0, 0, 0, 0, 0, 1, 2, 3, 5, 0, 0, 0, 0x0b]);
    }
}
