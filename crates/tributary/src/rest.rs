//! The HTTP side of a worker: who may ask, where it listens, and under which name it is known.

use std::path::Path;

use config::rest::RestConfig;
use lifecycle::{OnFailure, Scope};
use rest_api::{Bound, RestOptions, Users};
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

    /// `host:port` under which the worker is known.
    pub(crate) fn worker_id(&self) -> String {
        let address = self.bound.addresses().first();
        let configured = self.config.listeners.first();
        let host = self
            .config
            .advertised_host
            .clone()
            .or_else(|| configured?.host.clone())
            .or_else(|| {
                let ip = address?.ip();
                (!ip.is_unspecified()).then(|| ip.to_string())
            })
            .unwrap_or_else(|| "localhost".to_owned());
        let port = address.map_or(0, std::net::SocketAddr::port);
        format!("{host}:{}", self.config.advertised_port.unwrap_or(port))
    }

    /// Says where it listens, and whether that is a danger.
    pub(crate) fn announce(&self) {
        for address in self.bound.addresses() {
            tracing::info!("listening at http://{address}");
        }
        if self.bound.is_open() && self.users.is_none() {
            tracing::warn!(
                "anybody who reaches this machine can change links: set listeners to http://127.0.0.1:8083, or \
                 tributary.rest.auth.file to a file with users"
            );
        }
    }

    /// Serves until the scope is asked to stop.
    pub(crate) fn serve(self, handle: Handle, scope: &Scope) {
        let options = RestOptions {
            handle,
            worker_id: self.worker_id(),
            users: self.users,
            config: self.config,
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
