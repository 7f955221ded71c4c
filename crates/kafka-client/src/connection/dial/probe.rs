//! A connection made step by step, to see how far it goes, and what each step shows.

use std::sync::Arc;
use std::time::Duration;

use config::client::HostPort;
use config::security::{Mechanism, Security};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::{Dialer, Setup, connect_to_any, resolve, secured};
use crate::connection::Connection;
use crate::connection::frames::{ReadHalf, WriteHalf};
use crate::error::ClientError;
use crate::security::{Protection, Ready, authenticate, described};

/// What is done for a connection, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProbeStep {
    /// Files are read, variables looked up, tokens fetched.
    Credentials,
    /// The name is looked up.
    Resolve,
    /// TCP.
    Connect,
    /// TLS.
    Tls,
    /// Which versions the broker speaks. Comes before SASL: a broker answers that to everybody.
    Versions,
    /// SASL.
    Login,
}

/// A step that was done, or failed.
#[derive(Debug)]
pub struct Looked {
    /// Which.
    pub step: ProbeStep,
    /// How long it took.
    pub took: Duration,
    /// What it shows.
    pub outcome: Result<String, ClientError>,
}

/// How far a connection went. The last step may be a failure; what would come after it was not tried.
#[derive(Debug)]
pub struct Probe {
    /// With whom.
    pub peer: HostPort,
    /// The steps that were tried.
    pub steps: Vec<Looked>,
    /// The steps that a whole connection takes.
    pub whole: Vec<ProbeStep>,
}

impl Dialer {
    /// See [`crate::Cluster::probe`].
    pub(crate) async fn probe(self: &Arc<Self>, peer: &HostPort) -> Probe {
        let mut whole = vec![ProbeStep::Resolve, ProbeStep::Connect, ProbeStep::Versions];
        if self.protection.is_some() {
            whole.push(ProbeStep::Credentials);
        }
        if self.config.security.tls().is_some() {
            whole.push(ProbeStep::Tls);
        }
        if self.config.security.sasl().is_some() {
            whole.push(ProbeStep::Login);
        }
        whole.sort_unstable();
        let mut probe = Probe {
            peer: peer.clone(),
            steps: Vec::new(),
            whole,
        };
        // What failed is among the steps.
        let _ = Box::pin(self.go(peer, &mut probe)).await;
        probe
    }

    async fn go(self: &Arc<Self>, peer: &HostPort, probe: &mut Probe) -> Option<()> {
        let mut ready = match &self.protection {
            Some(protection) => Some(probe.credentials(protection, peer).await?),
            None => None,
        };
        let limit = self.config.connection_setup_timeout;
        let deadline = Instant::now() + limit;
        let setup = &Setup {
            peer,
            limit,
            deadline,
        };
        let addresses = setup.within("resolve its name", resolve(peer));
        let addresses = probe.step(ProbeStep::Resolve, addresses, |addresses| {
            let all: Vec<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
            all.join(", ")
        });
        let addresses = addresses.await?;
        let connecting = connect_to_any(&self.config, peer, addresses);
        let connecting = setup.within("accept a connection", connecting);
        let stream = probe.step(ProbeStep::Connect, connecting, |stream| {
            let address = stream.peer_addr();
            address.map(|at| at.to_string()).unwrap_or_default()
        });
        let stream = stream.await?;
        let (read, write): (ReadHalf, WriteHalf) = match &ready {
            Some(ready) if ready.tls().is_some() => {
                let handshake = secured(stream, peer, ready);
                let handshake = setup.within("finish the TLS handshake", handshake);
                let stream = probe.step(ProbeStep::Tls, handshake, shown).await?;
                let (read, write) = tokio::io::split(stream);
                (Box::new(read), Box::new(write))
            }
            _ => {
                let (read, write) = stream.into_split();
                (Box::new(read), Box::new(write))
            }
        };
        let mut connection = self.connection(peer, None, read, write);
        let security = ready.as_ref().map_or(&Security::Plaintext, Ready::security);
        let greeting = async {
            self.greet(&mut connection, setup, security).await?;
            Ok(connection.versions().count())
        };
        let count = |count: &usize| format!("{count} APIs");
        let greeting = Box::pin(greeting);
        probe.step(ProbeStep::Versions, greeting, count).await?;
        if let Some(ready) = &mut ready {
            probe.login(&mut connection, setup, ready).await?;
        }
        Some(())
    }
}

impl Probe {
    /// Whether a connection can be used.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.steps.iter().all(|looked| looked.outcome.is_ok())
    }

    /// Does a step; `None` when it failed.
    async fn step<T>(
        &mut self,
        step: ProbeStep,
        work: impl Future<Output = Result<T, ClientError>>,
        show: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let begin = Instant::now();
        let (outcome, made) = match work.await {
            Ok(made) => (Ok(show(&made)), Some(made)),
            Err(error) => (Err(error), None),
        };
        let took = begin.elapsed();
        self.steps.push(Looked {
            step,
            took,
            outcome,
        });
        made
    }

    async fn credentials(&mut self, protection: &Protection, peer: &HostPort) -> Option<Ready> {
        let work = protection.ready(peer);
        let name = |ready: &Ready| ready.security().name().to_owned();
        self.step(ProbeStep::Credentials, work, name).await
    }

    async fn login(
        &mut self,
        connection: &mut Connection,
        setup: &Setup<'_>,
        ready: &mut Ready,
    ) -> Option<()> {
        let who = ready.security().sasl().map(|sasl| who(&sasl.mechanism));
        let Some(login) = &mut ready.login else {
            return Some(());
        };
        let work = authenticate(connection, login, setup.deadline);
        let work = Box::pin(setup.within("finish the authentication", work));
        let made = self.step(ProbeStep::Login, work, |lifetime| {
            let who = who.unwrap_or_default();
            match lifetime {
                Some(lifetime) => format!("{who}, again within {} s", lifetime.as_secs()),
                None => who,
            }
        });
        made.await.map(drop)
    }
}

fn who(mechanism: &Mechanism) -> String {
    match mechanism {
        Mechanism::Plain(credentials) | Mechanism::Scram { credentials, .. } => {
            format!("{} as {}", mechanism.name(), credentials.username)
        }
        Mechanism::Gssapi(kerberos) => match &kerberos.principal {
            Some(principal) => format!("{} as {principal}", mechanism.name()),
            None => mechanism.name().to_owned(),
        },
        Mechanism::OAuthBearer(_) | Mechanism::AwsMskIam(_) => mechanism.name().to_owned(),
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> String {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    match session.peer_certificates().and_then(<[_]>::first) {
        Some(certificate) => format!("{version}, {}", described(certificate)),
        None => version.to_owned(),
    }
}
