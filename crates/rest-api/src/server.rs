//! Listens, takes connections within limits, and lets what was begun be finished at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use config::rest::{AdminListeners, Listener, RestConfig};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lifecycle::{OnFailure, Scope, StopSignal};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use worker_group::Handle;

use crate::auth::Users;
use crate::cors::Cors;
use crate::gate::{self, Gate, Shared, Surface};
use crate::request::AT_ONCE;
use crate::v1::{Api, Observer};

/// Connections at the same time; more wait in the system's queue.
const CONNECTIONS: usize = 2048;
/// How long the head of a request may take to arrive.
const HEAD_ARRIVAL: Duration = Duration::from_secs(30);
/// The largest head, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
/// Requests that were begun get so long to end.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after the system could not give a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The port of Connect, and how many more are tried where nothing was configured.
const PORT: u16 = 8083;
const FURTHER_PORTS: u16 = 50;

/// Why nobody can be served.
#[derive(Debug, Error)]
pub enum RestError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}: {cause}; set listeners to a free address of this machine")]
    Bind {
        /// The address.
        address: String,
        /// The system's words.
        cause: std::io::Error,
    },
}

/// What the server needs besides its addresses.
#[derive(Debug)]
pub struct RestOptions {
    /// The worker.
    pub handle: Handle,
    /// `host:port` under which it is known.
    pub worker_id: String,
    /// Who may ask; nothing lets everybody.
    pub users: Option<Users>,
    /// The settings.
    pub config: RestConfig,
}

/// Addresses that are being listened at.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<(TcpListener, Surface)>,
    addresses: Vec<SocketAddr>,
}

impl Bound {
    /// Listens at the configured addresses; without any, at the first free port from 8083 on of the loopback address.
    ///
    /// # Errors
    /// An address cannot be listened at.
    pub async fn bind(config: &RestConfig) -> Result<Self, RestError> {
        let mut bound = Self {
            listeners: Vec::new(),
            addresses: Vec::new(),
        };
        let surface = match config.admin {
            AdminListeners::Shared => Surface::Whole,
            AdminListeners::Off | AdminListeners::Own(_) => Surface::WithoutAdmin,
        };
        if config.listeners.is_empty() {
            bound.add_default(surface).await?;
        }
        for listener in &config.listeners {
            bound.add(listener, surface).await?;
        }
        if let AdminListeners::Own(own) = &config.admin {
            for listener in own {
                bound.add(listener, Surface::AdminOnly).await?;
            }
        }
        Ok(bound)
    }

    async fn add_default(&mut self, surface: Surface) -> Result<(), RestError> {
        let mut last = None;
        for port in PORT..=PORT + FURTHER_PORTS {
            let listener = Listener {
                https: false,
                host: Some("127.0.0.1".to_owned()),
                port,
            };
            match self.add(&listener, surface).await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("one port at least was tried"))
    }

    async fn add(&mut self, listener: &Listener, surface: Surface) -> Result<(), RestError> {
        let failed = |address: String| move |cause| RestError::Bind { address, cause };
        let (socket, address) = match listener.host.as_deref() {
            Some(host) => {
                let shown = format!("{host}:{}", listener.port);
                let bound = TcpListener::bind((host, listener.port)).await;
                (bound.map_err(failed(shown.clone()))?, shown)
            }
            None => {
                let shown = format!("port {}", listener.port);
                // Both families where the machine has both.
                let bound = match TcpListener::bind(("::", listener.port)).await {
                    Ok(bound) => Ok(bound),
                    Err(_) => TcpListener::bind(("0.0.0.0", listener.port)).await,
                };
                (bound.map_err(failed(shown.clone()))?, shown)
            }
        };
        let local = socket.local_addr().map_err(failed(address))?;
        self.addresses.push(local);
        self.listeners.push((socket, surface));
        Ok(())
    }

    /// The addresses, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether anybody outside of this machine can reach one of them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.addresses
            .iter()
            .any(|address| !address.ip().is_loopback())
    }

    /// Serves until `stop` is requested; what was begun is finished then, within seconds.
    pub async fn serve(self, options: RestOptions, scope: Scope, stop: StopSignal) {
        let RestOptions {
            handle,
            worker_id,
            users,
            config,
        } = options;
        let (observer, watcher) = Observer::new(handle.clone());
        let observing = observer.run(scope.stop_signal());
        scope.spawn("observer", OnFailure::Report, observing);
        let shared = Arc::new(Shared {
            handle,
            api: Api {
                worker_id,
                started_at: SystemTime::now(),
                watcher,
            },
            users,
            cors: Cors::new(config.allow_origin.as_deref(), &config.allow_methods),
            rules: config.headers,
            hide_secrets: config.hide_secrets,
            ui: !config.without_ui,
            room: Semaphore::new(AT_ONCE),
        });
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = Arc::new(scope.child("connections"));
        for (index, (listener, surface)) in self.listeners.into_iter().enumerate() {
            let gate = Gate {
                shared: Arc::clone(&shared),
                surface,
            };
            let router = Router::new().fallback(gate::pass).with_state(gate);
            let (connections, room) = (Arc::clone(&connections), Arc::clone(&room));
            scope.spawn(
                format!("listener {index}"),
                OnFailure::Report,
                accept(listener, router, connections, room, stop.clone()),
            );
        }
        stop.requested().await;
        let report = connections.stop(DRAIN).await;
        tracing::debug!(?report, "connections closed");
        let report = scope.stop(DRAIN).await;
        tracing::debug!(?report, "listeners closed");
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    connections: Arc<Scope>,
    room: Arc<Semaphore>,
    stop: StopSignal,
) {
    loop {
        // Both are cancel-safe, and nothing is accepted without a place for it.
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let Some((place, accepted)) = stop.unless_requested(next).await else {
            return;
        };
        let (Ok(place), Ok((stream, _))) = (place, accepted) else {
            // Too many open files, most likely: others may close theirs.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, stop) = (router.clone(), connections.stop_signal());
        connections.spawn(
            "connection",
            OnFailure::Report,
            connection(stream, router, place, stop),
        );
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    _place: OwnedSemaphorePermit,
    stop: StopSignal,
) {
    // Answers are small, and a client waits for each.
    drop(stream.set_nodelay(true));
    let service = TowerToHyperService::new(router);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_ARRIVAL)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.requested() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // A client that went away, or spoke something else than HTTP: its own affair.
        tracing::debug!("connection ended: {error}");
    }
}
