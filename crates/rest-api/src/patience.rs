//! A connection whose client does not take its answer is given up: answers are large, and wait in memory.
//!
//! The time counts while nothing at all can be written; a stream of events of which the client takes one now and then goes on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take nothing of what is ready for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Patient<S> {
    stream: S,
    /// Armed while nothing can be written.
    given_up: Pin<Box<Sleep>>,
    waits: bool,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            given_up: Box::pin(sleep(PATIENCE)),
            waits: false,
        }
    }

    /// What came of an attempt to write, unless it has been in vain for too long.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.waits = false;
            return attempt;
        }
        if !std::mem::replace(&mut self.waits, true) {
            self.given_up.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(self.given_up.as_mut().poll(context));
        let text = format!("the client took nothing of its answer for {PATIENCE:?}");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // With TLS it is here that what was written goes out.
        let attempt = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, attempt)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, attempt)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (ours, theirs) = duplex(16);
        let mut writer = Patient::new(ours);
        let begin = Instant::now();
        let error = writer.write_all(&[7; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begin.elapsed(), PATIENCE);
        drop(theirs);

        let (ours, mut theirs) = duplex(16);
        let mut writer = Patient::new(ours);
        let reads = async {
            let mut taken = 0;
            while taken < 64 {
                // sleeps because the client is slow, in the paused clock's time
                tokio::time::sleep(PATIENCE / 2).await;
                let mut some = [0; 8];
                taken += theirs.read_exact(&mut some).await.expect("there is more");
            }
        };
        let (written, ()) = tokio::join!(writer.write_all(&[7; 64]), reads);
        written.expect("it is slow, and takes it");
    }
}
