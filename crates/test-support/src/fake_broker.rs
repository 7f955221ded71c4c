//! A scripted peer: real sockets, and for every request the bytes the script says.
//!
//! For errors that no real broker gives on demand, and for hostile bytes. It knows request headers and nothing else: the
//! script gets what follows the correlation id and gives what follows the answer's correlation id. It never stands for
//! "works with Kafka".

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Larger requests end the connection.
const LARGEST: usize = 256 * 1024 * 1024;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which connection, counted from 0.
    pub connection: usize,
    /// Kafka's number of the API.
    pub api_key: i16,
    /// The request's version.
    pub version: i16,
    /// To be repeated in the answer.
    pub correlation_id: i32,
    /// Everything behind the correlation id: client id, tagged fields of flexible headers, body.
    pub rest: Vec<u8>,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A whole frame is made: length, the request's correlation id, these bytes (for a flexible header beginning with
    /// its tagged fields).
    Body(Vec<u8>),
    /// As `Body`, with another correlation id.
    WrongId(i32, Vec<u8>),
    /// Exactly these bytes, whatever they are.
    Bytes(Vec<u8>),
    /// Exactly these bytes, then the connection is closed.
    BytesThenClose(Vec<u8>),
    /// The connection is closed.
    Close,
    /// Nothing: the request is forgotten, the connection stays.
    Silence,
}

type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A listening fake; ends with all its connections when dropped.
#[derive(Debug)]
pub struct FakeBroker {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    _tasks: JoinSet<()>,
}

impl FakeBroker {
    /// Listens on a free loopback port; the script answers each request, from any connection.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(script), Arc::clone(&seen)));
        Ok(Self {
            address,
            seen,
            _tasks: tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests until now, in the order they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        lock(&self.seen).clone()
    }
}

async fn accept(listener: TcpListener, script: Script, seen: Arc<Mutex<Vec<Request>>>) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, count, Arc::clone(&script), Arc::clone(&seen)));
        count += 1;
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    script: Script,
    seen: Arc<Mutex<Vec<Request>>>,
) {
    while let Some(request) = read(&mut stream, connection).await {
        let reply = script(&request);
        let id = request.correlation_id;
        lock(&seen).push(request);
        let (bytes, closes) = match reply {
            Reply::Body(body) => (frame(id, &body), false),
            Reply::WrongId(id, body) => (frame(id, &body), false),
            Reply::Bytes(bytes) => (bytes, false),
            Reply::BytesThenClose(bytes) => (bytes, true),
            Reply::Close => (Vec::new(), true),
            Reply::Silence => (Vec::new(), false),
        };
        if stream.write_all(&bytes).await.is_err() || closes {
            return;
        }
    }
}

/// The next request, or nothing when the connection ends or does not carry one.
async fn read(stream: &mut TcpStream, connection: usize) -> Option<Request> {
    let length = usize::try_from(stream.read_i32().await.ok()?)
        .ok()
        .filter(|length| *length <= LARGEST)?;
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(Request {
        connection,
        api_key: i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?),
        version: i16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?),
        correlation_id: i32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?),
        rest: bytes.split_off(8),
    })
}

fn frame(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).expect("an answer of a script is far below 2 GiB");
    [&length.to_be_bytes(), &correlation_id.to_be_bytes(), body].concat()
}

fn lock(seen: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    seen.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{self, RawError};

    async fn exchange(reply: Reply) -> Result<Vec<u8>, RawError> {
        let broker = FakeBroker::start(move |_| reply.clone())
            .await
            .expect("a port");
        let answer = raw::exchange(&broker.address().to_string(), 18, 3, b"body").await;
        let seen = broker.seen();
        assert_eq!(
            (seen[0].api_key, seen[0].version, seen[0].correlation_id),
            (18, 3, 1)
        );
        assert!(seen[0].rest.ends_with(b"body"));
        answer
    }

    #[tokio::test]
    async fn a_body_is_framed_with_the_requests_correlation_id() {
        assert_eq!(
            exchange(Reply::Body(b"yes".to_vec()))
                .await
                .expect("an answer"),
            b"yes"
        );
    }

    #[tokio::test]
    async fn hostile_replies_are_sent_as_they_stand() {
        let malformed = exchange(Reply::WrongId(77, b"no".to_vec())).await;
        assert!(matches!(malformed, Err(RawError::Malformed { .. })));
        let malformed = exchange(Reply::Bytes(i32::MAX.to_be_bytes().to_vec())).await;
        assert!(matches!(malformed, Err(RawError::Malformed { .. })));
        let cut = exchange(Reply::BytesThenClose(vec![0, 0, 0, 9, 0])).await;
        assert!(matches!(cut, Err(RawError::Connection { .. })));
        assert!(matches!(
            exchange(Reply::Close).await,
            Err(RawError::Connection { .. })
        ));
    }
}
