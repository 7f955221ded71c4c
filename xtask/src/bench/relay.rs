//! The floor: a process that does nothing but move bytes from one loopback connection to another, 1 MiB per call.
//!
//! No replicator in user space can use less than this: each byte enters once and leaves once. With TLS on one side or on
//! both, what it uses more is the cost of encryption itself. Between ends that treat their sockets as brokers do, what it uses more is
//! the cost of bytes that come from a log, and of windows that are as large as brokers make them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use test_support::tributary_process::usage_of;

use super::encryption::{Material, Stream};
use crate::failure::{Attempt as _, Failure, Result};

/// Bytes per call.
const CHUNK: usize = 1 << 20;
/// What a broker sets the buffers of its sockets to (`socket.send.buffer.bytes`, `socket.receive.buffer.bytes`).
const BROKER_BUFFER: usize = 100 * 1024;
/// The most that waits unsent towards such a broker: more costs the sender more.
const NOT_SENT: u32 = 64 * 1024;
/// A relay that takes longer than this for one run hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Options of the hidden subcommand that is the relay.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayOptions {
    /// Where the bytes go
    #[arg(long)]
    to: String,
    /// Certificates for the sides with TLS
    #[arg(long)]
    material: Option<PathBuf>,
    /// Which sides have TLS
    #[arg(long, value_enum, default_value = "none")]
    tls: Sides,
    /// Whether the ends behave as brokers
    #[arg(long)]
    brokers: bool,
}

/// Between what a relay is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ends<'a> {
    /// Memory, over sockets as the kernel makes them.
    Plain,
    /// The same, with TLS.
    Tls(Sides, &'a Material),
    /// A file that is sent without a copy, and one that is written, in this directory; with the buffers of brokers.
    Brokers(&'a Path),
}

impl Ends<'_> {
    /// Behind the name of the relay.
    pub(super) fn suffix(&self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls(sides, _) => sides.suffix(),
            Self::Brokers(_) => BETWEEN_BROKERS,
        }
    }

    fn tls(&self) -> (Sides, Option<&Material>) {
        match self {
            Self::Tls(sides, material) => (*sides, Some(material)),
            Self::Plain | Self::Brokers(_) => (Sides::None, None),
        }
    }
}

/// Behind the name of a relay whose ends are such.
pub(super) const BETWEEN_BROKERS: &str = " between logs, with brokers' buffers";

/// Which sides of a copy have TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sides {
    None,
    Source,
    Destination,
    Both,
}

impl Sides {
    /// Behind the name of whoever has TLS there.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Source => ", TLS to the source",
            Self::Destination => ", TLS to the destination",
            Self::Both => ", TLS on both sides",
        }
    }

    /// Whether it has TLS to the source.
    pub(super) fn source(self) -> bool {
        matches!(self, Self::Source | Self::Both)
    }

    /// Whether it has TLS to the destination.
    pub(super) fn destination(self) -> bool {
        matches!(self, Self::Destination | Self::Both)
    }

    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Both => "both",
        }
    }
}

/// The relay itself: prints its address, moves one connection's bytes, then stays until its input closes, so that its
/// processor time can be read.
pub(crate) fn run(options: &RelayOptions) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").attempting("listen")?;
    let address = listener.local_addr().attempting("listen")?;
    crate::output::line(address.to_string());
    let (from, _) = listener.accept().attempting("accept a connection")?;
    let to = TcpStream::connect(&options.to).attempting("connect")?;
    if options.brokers {
        let bounded = socket2::SockRef::from(&to).set_tcp_notsent_lowat(NOT_SENT);
        bounded.attempting("bound what waits unsent")?;
    }
    let material = options.material.as_deref().map(Material::in_directory);
    let material = material.as_ref();
    // Towards the source Tributary is who dials; which end the relay is does not matter for the bytes.
    let mut from = protected(from, options.tls.source(), material, Material::accepted)?;
    let mut to = protected(to, options.tls.destination(), material, Material::dialled)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).attempting("read")?;
        if read == 0 {
            break;
        }
        to.write_all(&chunk[..read]).attempting("write")?;
    }
    to.end().attempting("end the connection")?;
    drop(to);
    let mut rest = String::new();
    std::io::stdin()
        .read_line(&mut rest)
        .attempting("wait for the end")?;
    Ok(())
}

fn protected(
    stream: TcpStream,
    tls: bool,
    material: Option<&Material>,
    with: fn(&Material, TcpStream) -> Result<Box<dyn Stream>>,
) -> Result<Box<dyn Stream>> {
    match (tls, material) {
        (false, _) => Ok(Box::new(stream)),
        (true, Some(material)) => with(material, stream),
        (true, None) => Err(Failure::new("TLS needs --material")),
    }
}

/// Sends `bytes` through a relay process and returns its processor seconds per 10⁹ bytes. `prefix` is `taskset -c 1` or
/// nothing.
pub(super) fn measure(bytes: u64, prefix: &[&str], ends: Ends<'_>) -> Result<f64> {
    let sink = TcpListener::bind("127.0.0.1:0").attempting("listen")?;
    if let Ends::Brokers(_) = ends {
        let buffer = socket2::SockRef::from(&sink).set_recv_buffer_size(BROKER_BUFFER);
        buffer.attempting("set the sink's buffer")?;
    }
    let address = sink.local_addr().attempting("listen")?.to_string();
    let program = std::env::current_exe()
        .attempting("find this program")?
        .display()
        .to_string();
    let (tls, material) = ends.tls();
    let directory = material.map(|material| material.directory().display().to_string());
    let mut arguments = vec!["bench-relay", "--to", &address, "--tls", tls.word()];
    if let Some(directory) = &directory {
        arguments.extend(["--material", directory]);
    }
    if let Ends::Brokers(_) = ends {
        arguments.push("--brokers");
    }
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
    let measured = through(&mut relay, &sink, bytes, ends);
    // Its input closes with this value; killing covers a relay that failed half-way.
    let _ = relay.kill();
    relay.wait().attempting("wait for the relay")?;
    measured
}

fn through(
    relay: &mut std::process::Child,
    sink: &TcpListener,
    bytes: u64,
    ends: Ends<'_>,
) -> Result<f64> {
    let output = relay
        .stdout
        .take()
        .ok_or_else(|| Failure::new("the relay has no output"))?;
    let mut address = String::new();
    BufReader::new(output)
        .read_line(&mut address)
        .attempting("read the relay's address")?;
    let feed = TcpStream::connect(address.trim()).attempting("connect to the relay")?;
    let feeding = match ends {
        Ends::Brokers(directory) => {
            let log = log(&directory.join("relay-source"), bytes)?;
            std::thread::spawn(move || feed_as_broker(log, &feed))
        }
        Ends::Plain | Ends::Tls(..) => {
            let (tls, material) = ends.tls();
            let feed = protected(feed, tls.source(), material, Material::dialled)?;
            std::thread::spawn(move || feed_from_memory(feed, bytes))
        }
    };
    let (mut end, _) = sink.accept().attempting("accept the relay's connection")?;
    end.set_read_timeout(Some(LIMIT))
        .attempting("limit the wait for the relay")?;
    let received = match ends {
        Ends::Brokers(directory) => {
            let path = directory.join("relay-destination");
            let mut log =
                File::create(&path).attempting("make a file for what the relay brings")?;
            let received = drain(&mut end, |chunk| log.write_all(chunk));
            std::fs::remove_file(&path).attempting("remove what the relay brought")?;
            received?
        }
        Ends::Plain | Ends::Tls(..) => {
            let (tls, material) = ends.tls();
            let mut end = protected(end, tls.destination(), material, Material::accepted)?;
            drain(&mut end, |_| Ok(()))?
        }
    };
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

fn feed_from_memory(mut feed: Box<dyn Stream>, bytes: u64) -> std::io::Result<()> {
    write_chunks(bytes, |chunk| feed.write_all(chunk))?;
    feed.end()
}

/// A file of so many bytes, as a log is one; kept for the next measurement.
fn log(path: &Path, bytes: u64) -> Result<File> {
    let there = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == bytes);
    if !there {
        let mut file = File::create(path).attempting("make a log for the relay")?;
        let written = write_chunks(bytes, |chunk| file.write_all(chunk));
        written.attempting("write a log for the relay")?;
    }
    File::open(path).attempting("open the relay's log")
}

/// Writes so many bytes, a chunk at a time.
fn write_chunks(
    bytes: u64,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut chunk = vec![b'x'; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let next = left.min(CHUNK as u64);
        let end = usize::try_from(next).expect("at most a chunk");
        // Pages that differ: a host may share those that do not.
        chunk[..8].copy_from_slice(&left.to_be_bytes());
        write(&chunk[..end])?;
        left -= next;
    }
    Ok(())
}

/// From the file to the socket by the kernel alone, as brokers send (`FileChannel.transferTo`).
fn feed_as_broker(mut log: File, mut feed: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(feed).set_send_buffer_size(BROKER_BUFFER)?;
    std::io::copy(&mut log, &mut feed)?;
    feed.shutdown(std::net::Shutdown::Write)
}

/// Reads to the end, a chunk at a time, and says how many bytes came.
fn drain(from: &mut dyn Read, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut received = 0;
    loop {
        match from.read(&mut chunk).attempting("read from the relay")? {
            0 => return Ok(received),
            read => {
                take(&chunk[..read]).attempting("write what the relay brings")?;
                received += read as u64;
            }
        }
    }
}
