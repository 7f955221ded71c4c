//! Listens, takes connections within limits, and lets what was begun be finished at the end.
//!
//! Behind TLS everything is as without it. A connection takes the certificates that hold when it is made.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use config::rest::{AdminListeners, Listener, ListenerTls, RestConfig};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use kafka_client::ListenerProtection;
use lifecycle::{OnFailure, Scope, StopSignal};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use worker_group::Handle;

use crate::auth::Users;
use crate::cors::Cors;
use crate::forward::OtherWorkers;
use crate::gate::{self, Gate, Shared, Surface};
use crate::metered::{MetricsSource, Requests};
use crate::patience::Patient;
use crate::request::AT_ONCE;
use crate::v1::{Api, Identity, Observer, Peers};

/// Connections at the same time; more wait in the system's queue.
const CONNECTIONS: usize = 2048;
/// How long the head of a request may take to arrive.
const HEAD_ARRIVAL: Duration = Duration::from_secs(30);
/// How long the handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
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
    /// The certificates of a listener cannot be used.
    #[error("TLS of {listeners} cannot be served: {cause}")]
    Certificates {
        /// The key of the listeners.
        listeners: &'static str,
        /// What is wrong, with the key that it belongs to.
        cause: String,
    },
}

/// A place that is being listened at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// Where.
    pub socket: SocketAddr,
    /// With TLS.
    pub https: bool,
    /// Only for administrative requests.
    pub admin: bool,
}

impl Address {
    /// The scheme of its URLs.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        scheme(self.https)
    }
}

pub(crate) fn scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
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
    /// What is measured besides the requests themselves.
    pub metrics: MetricsSource,
}

/// Addresses that are being listened at.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<Listening>,
    addresses: Vec<Address>,
}

#[derive(Debug)]
struct Listening {
    socket: TcpListener,
    surface: Surface,
    tls: Option<Arc<ListenerProtection>>,
}

type Protection = Option<Arc<ListenerProtection>>;

impl Bound {
    /// Listens at the configured addresses; without any, at the first free port from 8083 on of the loopback address.
    ///
    /// # Errors
    /// An address cannot be listened at, or certificates cannot be used.
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
        let tls = protection("listeners", config.tls.as_ref()).await?;
        for listener in &config.listeners {
            bound.add(listener, surface, &tls).await?;
        }
        if let AdminListeners::Own(own) = &config.admin {
            let tls = protection("admin.listeners", config.admin_tls.as_ref()).await?;
            for listener in own {
                bound.add(listener, Surface::AdminOnly, &tls).await?;
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
            match self.add(&listener, surface, &None).await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("one port at least was tried"))
    }

    async fn add(
        &mut self,
        listener: &Listener,
        surface: Surface,
        tls: &Protection,
    ) -> Result<(), RestError> {
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
        self.addresses.push(Address {
            socket: local,
            https: listener.https,
            admin: surface == Surface::AdminOnly,
        });
        self.listeners.push(Listening {
            socket,
            surface,
            tls: tls.clone().filter(|_| listener.https),
        });
        Ok(())
    }

    /// The addresses, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Whether anybody outside of this machine can reach one of them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.addresses
            .iter()
            .any(|address| !address.socket.ip().is_loopback())
    }

    /// How other workers of a group are reached: with the TLS of the main listeners, where they have it.
    #[must_use]
    pub fn workers(&self) -> OtherWorkers {
        let main = self
            .listeners
            .iter()
            .filter(|one| one.surface != Surface::AdminOnly);
        OtherWorkers::new(main.filter_map(|one| one.tls.clone()).next())
    }

    /// Serves until `stop` is requested; what was begun is finished then, within seconds.
    pub async fn serve(self, options: RestOptions, scope: Scope, stop: StopSignal) {
        let RestOptions {
            handle,
            worker_id,
            users,
            config,
            metrics,
        } = options;
        let workers = self.workers();
        let identity = Identity {
            worker_id,
            started_at: SystemTime::now(),
        };
        let peers = Arc::new(Peers::new(workers.clone()));
        let (observer, watcher) = Observer::new(
            handle.clone(),
            identity.clone(),
            Arc::clone(&peers),
            metrics.clone(),
            config.history_bytes.unwrap_or(RestConfig::HISTORY_BYTES),
        );
        let observing = observer.run(stop.clone());
        scope.spawn("observer", OnFailure::Report, observing);
        let shared = Arc::new(Shared {
            handle,
            workers,
            api: Api {
                identity,
                watcher,
                peers,
            },
            users,
            cors: Cors::new(config.allow_origin.as_deref(), &config.allow_methods),
            rules: config.headers,
            hide_secrets: config.hide_secrets,
            health_public: config.health_public,
            ui: !config.without_ui,
            room: Semaphore::new(AT_ONCE),
            workers_room: Semaphore::new(AT_ONCE),
            metrics,
            requests: Requests::default(),
        });
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = Arc::new(scope.child("connections"));
        for (index, listening) in self.listeners.into_iter().enumerate() {
            let gate = Gate {
                shared: Arc::clone(&shared),
                surface: listening.surface,
                https: listening.tls.is_some(),
            };
            let router = Router::new().fallback(gate::pass).with_state(gate);
            let (connections, room) = (Arc::clone(&connections), Arc::clone(&room));
            if let Some(tls) = listening.tls.clone() {
                let stop = stop.clone();
                scope.spawn(
                    format!("certificates {index}"),
                    OnFailure::Report,
                    async move {
                        // It ends with the listener.
                        let _ = stop.unless_requested(tls.watch()).await;
                    },
                );
            }
            scope.spawn(
                format!("listener {index}"),
                OnFailure::Report,
                accept(listening, router, connections, room, stop.clone()),
            );
        }
        stop.requested().await;
        let report = connections.stop(DRAIN).await;
        tracing::debug!(?report, "connections closed");
        let report = scope.stop(DRAIN).await;
        tracing::debug!(?report, "listeners closed");
    }
}

async fn protection(
    listeners: &'static str,
    tls: Option<&ListenerTls>,
) -> Result<Protection, RestError> {
    let Some(tls) = tls else { return Ok(None) };
    let opened = ListenerProtection::open(tls.clone()).await;
    let opened = opened.map_err(|cause| RestError::Certificates { listeners, cause })?;
    Ok(Some(Arc::new(opened)))
}

async fn accept(
    listening: Listening,
    router: Router,
    connections: Arc<Scope>,
    room: Arc<Semaphore>,
    stop: StopSignal,
) {
    loop {
        // Both are cancel-safe, and nothing is accepted without a place for it.
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listening.socket.accept().await)
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
        let tls = listening.tls.as_ref().map(|tls| tls.current());
        connections.spawn(
            "connection",
            OnFailure::Report,
            connection(stream, tls.map(TlsAcceptor::from), router, place, stop),
        );
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    _place: OwnedSemaphorePermit,
    stop: StopSignal,
) {
    // Answers are small, and a client waits for each.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else {
        return speak(stream, router, stop).await;
    };
    let handshake = timeout(HANDSHAKE, tls.accept(stream));
    match stop.unless_requested(handshake).await {
        Some(Ok(Ok(stream))) => Box::pin(speak(stream, router, stop)).await,
        // A client without a certificate, or with one of somebody else: it has been told so by an alert.
        Some(Ok(Err(error))) => tracing::debug!("no TLS with a client: {error}"),
        Some(Err(_)) | None => {}
    }
}

/// Answers requests until the client goes, or `stop` is requested and what was begun is answered.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    stop: StopSignal,
) {
    let service = TowerToHyperService::new(router);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_ARRIVAL)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
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
