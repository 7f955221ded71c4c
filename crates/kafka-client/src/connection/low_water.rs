//! How much has to have arrived before a reader is woken.
//!
//! A large answer comes in pieces as small as its sender's buffer. Woken for each of them, a reader spends more on being
//! woken than on reading; with a low-water mark it sleeps until a large piece is there, or the connection ends.
#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "one socket option that no maintained crate sets; the call reads one integer and nothing else"
    )
)]

use tokio::io::{AsyncRead, ReadHalf};
use tokio::net::tcp::OwnedReadHalf;

/// The reading half of a connection.
pub(crate) trait Incoming: AsyncRead + Send + Unpin {
    /// Readers are woken when so many bytes are there, or the connection has ended. Where that cannot be had they are woken
    /// for less.
    fn wake_at(&self, bytes: usize);
}

impl Incoming for OwnedReadHalf {
    #[cfg(target_os = "linux")]
    fn wake_at(&self, bytes: usize) {
        use std::os::fd::AsRawFd as _;

        let socket = self.as_ref().as_raw_fd();
        let mark = libc::c_int::try_from(bytes.max(1)).unwrap_or(libc::c_int::MAX);
        // The kernel lowers what its buffers cannot hold. That the option is not there costs wake-ups and nothing else.
        //
        // SAFETY: the socket is open as long as `self` is; the pointer is that of a live integer of the size given.
        unsafe {
            libc::setsockopt(
                socket,
                libc::SOL_SOCKET,
                libc::SO_RCVLOWAT,
                (&raw const mark).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wake_at(&self, _: usize) {}
}

/// TLS: what has arrived is not what can be read.
impl<T> Incoming for ReadHalf<T>
where
    ReadHalf<T>: AsyncRead + Send + Unpin,
{
    fn wake_at(&self, _: usize) {}
}

#[cfg(test)]
impl Incoming for tokio::io::DuplexStream {
    fn wake_at(&self, _: usize) {}
}
