//! What a worker serves over HTTP: resolved settings, which cannot be invalid.

use std::path::PathBuf;

use crate::security::{Given, TlsSettings};

/// A place to listen at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// With TLS.
    pub https: bool,
    /// The host; nothing stands for every address of the machine.
    pub host: Option<String>,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

/// What is asked of those who connect with TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClientAuth {
    /// Nothing.
    #[default]
    None,
    /// A certificate, if they have one; it has to be trusted then.
    Requested,
    /// A certificate that is trusted.
    Required,
}

/// TLS of listeners, which show an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerTls {
    /// Versions, suites, identity, and whose certificates are believed.
    pub settings: TlsSettings,
    /// What clients have to show.
    pub client_auth: ClientAuth,
    /// What it was made from.
    pub(crate) given: Given,
}

impl ListenerTls {
    /// The settings as they are now: variables in them may have got other values.
    ///
    /// # Errors
    /// What is wrong, in sentences without values.
    pub fn now(&self) -> Result<TlsSettings, String> {
        if self.given.has_variables() {
            return crate::resolve::listener_tls_now(&self.given);
        }
        Ok(self.settings.clone())
    }
}

/// What is done to a header of every answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderRule {
    /// The header's name.
    pub name: String,
    /// Its value; for dates a number of milliseconds from now.
    pub value: HeaderValue,
    /// In place of one that is there already.
    pub replace: bool,
}

/// What a header is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeaderValue {
    /// This text.
    Text(String),
    /// A date, so many milliseconds from the answer.
    Date(i64),
}

/// Where administrative requests are answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AdminListeners {
    /// Where all others are.
    #[default]
    Shared,
    /// Nowhere.
    Off,
    /// At places of their own.
    Own(Vec<Listener>),
}

/// Settings of the HTTP listener.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RestConfig {
    /// `listeners`; empty where it is not given: port 8083 of this machine, for this machine only.
    pub listeners: Vec<Listener>,
    /// `admin.listeners`.
    pub admin: AdminListeners,
    /// `listeners.https.*`, or the worker's `ssl.*`; there where a listener is https.
    pub tls: Option<ListenerTls>,
    /// `admin.listeners.https.*`, in the same way.
    pub admin_tls: Option<ListenerTls>,
    /// `rest.advertised.listener`: whether the address that others are told is https.
    pub advertised_https: Option<bool>,
    /// `rest.advertised.host.name`.
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`.
    pub advertised_port: Option<u16>,
    /// `access.control.allow.origin`: answers may be read by pages from there.
    pub allow_origin: Option<String>,
    /// `access.control.allow.methods`.
    pub allow_methods: Vec<String>,
    /// `response.http.headers.config`.
    pub headers: Vec<HeaderRule>,
    /// `tributary.rest.auth.file`: who may ask.
    pub auth_file: Option<PathBuf>,
    /// `tributary.rest.hide.secrets`.
    pub hide_secrets: bool,
    /// `tributary.rest.health.public`: nobody has to say who he is to hear whether the worker is well.
    pub health_public: bool,
    /// `tributary.ui.history.bytes`, where it is given.
    pub history_bytes: Option<usize>,
    /// `tributary.ui.enable` says no: nothing is served below `/ui/`.
    pub without_ui: bool,
}

impl RestConfig {
    /// Memory for history where nothing is said.
    pub const HISTORY_BYTES: usize = 8 * 1024 * 1024;
}
