//! The HTTP side of a worker: who may ask, where it listens, and under which name it is known.

use std::path::Path;

use config::rest::{ClientAuth, ListenerTls, RestConfig};
use lifecycle::{OnFailure, Scope};
use rest_api::{Bound, MetricsSource, OtherWorkers, RestOptions, Users};
use worker_group::Handle;

use crate::output;

/// Longest file of users, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// What is served, before there is a worker to ask.
pub(crate) struct Rest {
    bound: Bound,
    users: Option<Users>,
    config: RestConfig,
}

impl Rest {
    /// Listens; problems are printed.
    pub(crate) async fn open(config: &RestConfig) -> Option<Self> {
        let users = match config.auth_file.as_deref().map(users) {
            None => None,
            Some(Ok(users)) => Some(users),
            Some(Err(problem)) => {
                output::error(&problem);
                return None;
            }
        };
        match Bound::bind(config).await {
            Ok(bound) => Some(Self {
                bound,
                users,
                config: config.clone(),
            }),
            Err(problem) => {
                output::error(&problem.to_string());
                None
            }
        }
    }

    /// `host:port` under which the worker is known: that of the first listener with the advertised scheme, http where
    /// that is served and nothing is said.
    pub(crate) fn worker_id(&self) -> String {
        let config = &self.config;
        let own = self.bound.addresses().iter().filter(|one| !one.admin);
        let own: Vec<_> = own.enumerate().collect();
        let of = |https: bool| own.iter().find(|(_, address)| address.https == https);
        let advertised = match config.advertised_https {
            Some(https) => of(https),
            None => of(false).or_else(|| of(true)),
        };
        let configured = advertised.and_then(|(index, _)| config.listeners.get(*index));
        let socket = advertised.map(|(_, address)| address.socket);
        let host = config
            .advertised_host
            .clone()
            .or_else(|| configured?.host.clone())
            .or_else(|| {
                let ip = socket?.ip();
                (!ip.is_unspecified()).then(|| ip.to_string())
            })
            .unwrap_or_else(|| "localhost".to_owned());
        let port = socket.map_or(0, |socket| socket.port());
        format!("{host}:{}", config.advertised_port.unwrap_or(port))
    }

    /// How this worker reaches others of its group.
    pub(crate) fn workers(&self) -> OtherWorkers {
        self.bound.workers()
    }

    /// The URL under which other workers reach this one.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.is_reached_by_tls() {
            true => "https",
            false => "http",
        };
        format!("{scheme}://{}/", self.worker_id())
    }

    /// Whether other workers have to speak TLS to this one.
    fn is_reached_by_tls(&self) -> bool {
        let mut own = self.bound.addresses().iter().filter(|one| !one.admin);
        let is_plain = own.any(|one| !one.https);
        self.config.advertised_https.unwrap_or(!is_plain)
    }

    /// Says where it listens, and whether that is a danger.
    pub(crate) fn announce(&self) {
        for address in self.bound.addresses() {
            let (scheme, socket) = (address.scheme(), address.socket);
            let admin = if address.admin {
                ", for administration"
            } else {
                ""
            };
            tracing::info!("listening at {scheme}://{socket}{admin}");
        }
        if !self.config.without_ui {
            tracing::info!("control center: {}ui/", self.url());
        }
        if self.bound.is_open() && self.users.is_none() && !self.asks_for_certificates() {
            tracing::warn!(
                "anybody who reaches this machine can change links: set listeners to http://127.0.0.1:8083, or \
                 tributary.rest.auth.file to a file with users"
            );
        }
    }

    /// Whether nobody gets in without a certificate.
    fn asks_for_certificates(&self) -> bool {
        let required = |tls: &Option<ListenerTls>| matches!(tls, Some(tls) if tls.client_auth == ClientAuth::Required);
        self.bound.addresses().iter().all(|address| {
            let tls = if address.admin {
                &self.config.admin_tls
            } else {
                &self.config.tls
            };
            address.https && required(tls)
        })
    }

    /// Serves until the scope is asked to stop.
    pub(crate) fn serve(self, handle: Handle, metrics: MetricsSource, scope: &Scope) {
        let options = RestOptions {
            handle,
            worker_id: self.worker_id(),
            users: self.users,
            config: self.config,
            metrics,
        };
        let stop = scope.stop_signal();
        let serving = self.bound.serve(options, scope.child("rest"), stop);
        scope.spawn("rest", OnFailure::StopScope, serving);
    }
}

fn users(path: &Path) -> Result<Users, String> {
    use std::io::Read as _;
    let name = path.display().to_string();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
        .map_err(|error| format!("tributary.rest.auth.file: {name} cannot be read: {error}"))?;
    Users::parse(&name, &text).map_err(|problem| format!("{name}: {problem}"))
}
