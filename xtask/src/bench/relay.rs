//! The floor: a process that does nothing but move bytes from one loopback connection to another, 1 MiB per call.
//!
//! No replicator in user space can use less than this: each byte enters once and leaves once.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use test_support::tributary_process::usage_of;

use crate::failure::{Attempt as _, Failure, Result};

/// Bytes per call.
const CHUNK: usize = 1 << 20;
/// A relay that takes longer than this for one run hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Options of the hidden subcommand that is the relay.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayOptions {
    /// Where the bytes go
    #[arg(long)]
    to: String,
}

/// The relay itself: prints its address, moves one connection's bytes, then stays until its input closes, so that its
/// processor time can be read.
pub(crate) fn run(options: &RelayOptions) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").attempting("listen")?;
    let address = listener.local_addr().attempting("listen")?;
    crate::output::line(address.to_string());
    let (mut from, _) = listener.accept().attempting("accept a connection")?;
    let mut to = TcpStream::connect(&options.to).attempting("connect")?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).attempting("read")?;
        if read == 0 {
            break;
        }
        to.write_all(&chunk[..read]).attempting("write")?;
    }
    drop(to);
    let mut rest = String::new();
    std::io::stdin()
        .read_line(&mut rest)
        .attempting("wait for the end")?;
    Ok(())
}

/// Sends `bytes` through a relay process and returns its processor seconds per 10⁹ bytes. `prefix` is `taskset -c 1` or
/// nothing.
pub(super) fn measure(bytes: u64, prefix: &[&str]) -> Result<f64> {
    let sink = TcpListener::bind("127.0.0.1:0").attempting("listen")?;
    let address = sink.local_addr().attempting("listen")?.to_string();
    let program = std::env::current_exe()
        .attempting("find this program")?
        .display()
        .to_string();
    let arguments = ["bench-relay", "--to", &address];
    let mut words = prefix
        .iter()
        .copied()
        .chain([program.as_str()])
        .chain(arguments);
    let mut relay = Command::new(words.next().expect("there is a program"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .attempting("start the relay")?;
    let measured = through(&mut relay, &sink, bytes);
    // Its input closes with this value; killing covers a relay that failed half-way.
    let _ = relay.kill();
    relay.wait().attempting("wait for the relay")?;
    measured
}

fn through(relay: &mut std::process::Child, sink: &TcpListener, bytes: u64) -> Result<f64> {
    let output = relay
        .stdout
        .take()
        .ok_or_else(|| Failure::new("the relay has no output"))?;
    let mut address = String::new();
    BufReader::new(output)
        .read_line(&mut address)
        .attempting("read the relay's address")?;
    let mut feed = TcpStream::connect(address.trim()).attempting("connect to the relay")?;
    let feeding = std::thread::spawn(move || -> std::io::Result<()> {
        let chunk = vec![b'x'; CHUNK];
        let mut left = bytes;
        while left > 0 {
            let next = left.min(CHUNK as u64);
            let end = usize::try_from(next).expect("at most a chunk");
            feed.write_all(&chunk[..end])?;
            left -= next;
        }
        Ok(())
    });
    let (mut drain, _) = sink.accept().attempting("accept the relay's connection")?;
    drain
        .set_read_timeout(Some(LIMIT))
        .attempting("limit the wait for the relay")?;
    let mut chunk = vec![0; CHUNK];
    let mut received: u64 = 0;
    loop {
        let read = drain.read(&mut chunk).attempting("read from the relay")?;
        if read == 0 {
            break;
        }
        received += read as u64;
    }
    feeding
        .join()
        .map_err(|_| Failure::new("the feeding thread panicked"))?
        .attempting("feed")?;
    if received != bytes {
        return Err(Failure::new(format!(
            "the relay moved {received} of {bytes} bytes"
        )));
    }
    let usage =
        usage_of(relay.id()).ok_or_else(|| Failure::new("the relay has ended too early"))?;
    Ok(usage.processor().as_secs_f64() / (super::window::to_f64(bytes) / 1e9))
}
