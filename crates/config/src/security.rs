//! How connections are protected: resolved settings of TLS and SASL, which cannot be contradictory.
//!
//! Everything a secret depends on is in [`Secret`]. Files are named here and read where connections are made, so that
//! a file that is replaced holds for the next connection.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::raw::RawEntry;
use crate::secret::Secret;
use crate::variables::Variables;

mod aws;

pub use aws::{
    AwsCredentials, AwsKeys, AwsProfile, AwsRole, AwsServices, AwsToken, ContainerToken,
};

/// `security.protocol` and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Security {
    /// `PLAINTEXT`.
    #[default]
    Plaintext,
    /// `SSL`.
    Tls(Box<TlsSettings>),
    /// `SASL_PLAINTEXT`.
    SaslPlaintext(Box<SaslSettings>),
    /// `SASL_SSL`.
    SaslTls(Box<TlsSettings>, Box<SaslSettings>),
}

impl Security {
    /// The name of the protocol.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Tls(_) => "SSL",
            Self::SaslPlaintext(_) => "SASL_PLAINTEXT",
            Self::SaslTls(..) => "SASL_SSL",
        }
    }

    /// The settings of TLS, where it is used.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsSettings> {
        match self {
            Self::Tls(tls) | Self::SaslTls(tls, _) => Some(tls),
            Self::Plaintext | Self::SaslPlaintext(_) => None,
        }
    }

    /// The settings of SASL, where it is used.
    #[must_use]
    pub fn sasl(&self) -> Option<&SaslSettings> {
        match self {
            Self::SaslPlaintext(sasl) | Self::SaslTls(_, sasl) => Some(sasl),
            Self::Plaintext | Self::Tls(_) => None,
        }
    }
}

/// The keys of one client that [`Security`] is made from, as they were written: by name without prefix.
///
/// They are kept because a stronger place may replace one of them (`producer.override.sasl.jaas.config` over the
/// worker's settings), and because variables in them are looked up again for every new connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Given {
    pub(crate) entries: BTreeMap<String, RawEntry>,
    pub(crate) variables: Option<Variables>,
    /// Tokens without a signature may be made.
    pub(crate) unsecured_tokens: bool,
}

impl Given {
    /// Whether a later look may bring something else.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        self.entries.values().any(RawEntry::has_variables) || self.jaas_file().is_some()
    }

    /// The file of login modules, where one is used.
    fn jaas_file(&self) -> Option<PathBuf> {
        let protocol = self.entries.get("security.protocol")?;
        let used = protocol.value.trim().starts_with("SASL")
            && !self.entries.contains_key("sasl.jaas.config");
        used.then(|| self.variables.as_ref()?.jaas_file()).flatten()
    }

    /// The settings as they are now.
    ///
    /// # Errors
    /// What is wrong, in sentences without values; for example a variable that is gone.
    pub fn resolve(&self) -> Result<Security, String> {
        crate::resolve::security_now(self)
    }
}

/// `ssl.*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// TLS 1.2 may be spoken.
    pub tls12: bool,
    /// TLS 1.3 may be spoken.
    pub tls13: bool,
    /// Allowed suites by their IANA names, all of [`CIPHER_SUITES`]; empty allows all.
    pub cipher_suites: Vec<String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Who we are.
    pub identity: Option<Identity>,
    /// Whether the certificate has to name the host that was dialled.
    pub check_host_name: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            tls12: true,
            tls13: true,
            cipher_suites: Vec::new(),
            trust: Trust::System,
            identity: None,
            check_host_name: true,
        }
    }
}

/// The suites that can be used, by their IANA names. Those without forward secrecy or authenticated encryption are
/// left out on purpose.
pub const CIPHER_SUITES: [&str; 9] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Whether a suite belongs to TLS 1.3.
#[must_use]
pub fn is_tls13_suite(name: &str) -> bool {
    !name.starts_with("TLS_ECDHE_")
}

/// Whose certificates are believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trust {
    /// The system's roots.
    System,
    /// `ssl.truststore.certificates`: PEM text.
    Inline(Secret<String>),
    /// `ssl.truststore.location`.
    Store(StoreFile),
}

/// A file with keys or certificates: PEM, PKCS12 or JKS, which its content decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreFile {
    /// Where it is.
    pub path: PathBuf,
    /// The password of the store.
    pub password: Option<Secret<String>>,
}

/// Our own certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// `ssl.keystore.key` and `ssl.keystore.certificate.chain`: PEM texts.
    Inline {
        /// The private key.
        key: Secret<String>,
        /// The certificates, ours first.
        chain: Secret<String>,
        /// `ssl.key.password`.
        key_password: Option<Secret<String>>,
    },
    /// `ssl.keystore.location`.
    Store {
        /// The file.
        store: StoreFile,
        /// `ssl.key.password`; without it the store's password holds.
        key_password: Option<Secret<String>>,
    },
}

/// `sasl.*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaslSettings {
    /// How we authenticate.
    pub mechanism: Mechanism,
}

/// How we authenticate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// `PLAIN` (RFC 4616).
    Plain(Credentials),
    /// `SCRAM-SHA-256` and `SCRAM-SHA-512` (RFC 5802, RFC 7677).
    Scram {
        /// Which of the two.
        hash: ScramHash,
        /// Name and password.
        credentials: Credentials,
        /// The name is the id of a delegation token, the password its HMAC.
        token: bool,
    },
    /// `OAUTHBEARER` (RFC 7628).
    OAuthBearer(Box<OAuth>),
    /// `AWS_MSK_IAM`.
    AwsMskIam(AwsCredentials),
    /// `GSSAPI` (RFC 4752): Kerberos.
    Gssapi(Kerberos),
}

impl Mechanism {
    /// The name that brokers know it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain(_) => "PLAIN",
            Self::Scram { hash, .. } => hash.mechanism(),
            Self::OAuthBearer(_) => "OAUTHBEARER",
            Self::AwsMskIam(_) => "AWS_MSK_IAM",
            Self::Gssapi(_) => "GSSAPI",
        }
    }
}

/// A name and its password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret<String>,
}

/// The hash of SCRAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScramHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl ScramHash {
    /// The mechanism's name.
    #[must_use]
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }
}

/// Settings of `GSSAPI`: at least one of key table and ticket cache is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kerberos {
    /// The name that brokers have in front of their hosts, mostly `kafka`.
    pub service: String,
    /// Who we are; `None` takes the first that is found.
    pub principal: Option<String>,
    /// `keyTab`.
    pub key_table: Option<PathBuf>,
    /// Tickets that somebody else keeps up to date; they are tried first.
    pub ticket_cache: Option<TicketCache>,
    /// When tickets of the key table are replaced.
    pub renewal: TicketRenewal,
}

/// Where tickets are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TicketCache {
    /// Where `KRB5CCNAME` or `krb5.conf` says.
    Default,
    /// `ticketCache`.
    File(PathBuf),
}

/// `sasl.kerberos.*` about time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TicketRenewal {
    /// `sasl.kerberos.ticket.renew.window.factor`, in thousandths of the tickets' life.
    pub window_per_mille: u32,
    /// `sasl.kerberos.ticket.renew.jitter`, in thousandths of it: at random up to so much later.
    pub jitter_per_mille: u32,
    /// `sasl.kerberos.min.time.before.relogin`.
    pub min_pause: Duration,
}

impl Default for TicketRenewal {
    fn default() -> Self {
        Self {
            window_per_mille: 800,
            jitter_per_mille: 50,
            min_pause: Duration::from_secs(60),
        }
    }
}

/// Settings of `OAUTHBEARER`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuth {
    /// Where tokens come from.
    pub source: TokenSource,
    /// SASL extensions (KIP-342).
    pub extensions: Vec<(String, String)>,
    /// How a token endpoint is reached over https; `None` uses the system's roots.
    pub tls: Option<TlsSettings>,
    /// `sasl.login.connect.timeout.ms`.
    pub connect_timeout: Duration,
    /// `sasl.login.read.timeout.ms`.
    pub read_timeout: Duration,
    /// `sasl.login.refresh.*`.
    pub refresh: Refresh,
    /// `sasl.login.retry.*`.
    pub retry: LoginRetry,
    /// Claims that a token has to have because a key names them: the key, and the claim.
    pub claims: Vec<(&'static str, String)>,
}

/// Pauses after an identity provider was not reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoginRetry {
    /// `sasl.login.retry.backoff.ms`; each pause is twice the one before.
    pub first: Duration,
    /// `sasl.login.retry.backoff.max.ms`: all pauses together.
    pub longest: Duration,
}

impl Default for LoginRetry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
        }
    }
}

/// When a token is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refresh {
    /// `sasl.login.refresh.window.factor`, in thousandths of the token's life.
    pub window_per_mille: u32,
    /// `sasl.login.refresh.window.jitter`, in thousandths of it: at random up to so much later.
    pub jitter_per_mille: u32,
    /// `sasl.login.refresh.min.period.seconds`: not earlier than this after the token was obtained.
    pub min_period: Duration,
    /// `sasl.login.refresh.buffer.seconds`: so long before it expires.
    pub buffer: Duration,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            window_per_mille: 800,
            jitter_per_mille: 50,
            min_period: Duration::from_secs(60),
            buffer: Duration::from_secs(300),
        }
    }
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenSource {
    /// A file that somebody else keeps up to date.
    File(PathBuf),
    /// The client credentials grant (RFC 6749, 4.4).
    ClientCredentials {
        /// The token endpoint.
        endpoint: Endpoint,
        /// The client's id.
        client_id: String,
        /// Its secret.
        client_secret: Secret<String>,
        /// What is asked for.
        scope: Option<String>,
        /// Whether id and secret are URL-encoded in the header, as RFC 6749 wants it.
        urlencode: bool,
    },
    /// An assertion that is exchanged for a token (RFC 7523).
    JwtBearer {
        /// The token endpoint.
        endpoint: Endpoint,
        /// The assertion.
        assertion: Assertion,
        /// What is asked for.
        scope: Option<String>,
    },
    /// AWS's security token service, which says who we are there.
    Aws(Box<AwsToken>),
    /// Made here, without a signature: for brokers of tests, which believe everybody.
    Unsecured(UnsecuredToken),
}

/// A token that nobody has signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsecuredToken {
    /// What it says, as JSON.
    pub claims: BTreeMap<String, serde_json::Value>,
    /// Its life.
    pub lifetime: Duration,
}

/// The URL of a token endpoint, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// `https` rather than `http`.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl fmt::Display for Endpoint {
    /// Without path and query, which may hold what nobody else should see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// A signed statement of who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Assertion {
    /// A file with a signed assertion.
    File(PathBuf),
    /// Signed here.
    Signed(SignedAssertion),
}

/// How an assertion is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedAssertion {
    /// PEM file with the private key.
    pub key_file: PathBuf,
    /// The key's passphrase.
    pub passphrase: Option<Secret<String>>,
    /// The signature.
    pub algorithm: AssertionAlgorithm,
    /// JSON file with further entries of header and payload.
    pub template: Option<PathBuf>,
    /// Claim `aud`.
    pub audience: Option<String>,
    /// Claim `iss`.
    pub issuer: Option<String>,
    /// Claim `sub`.
    pub subject: Option<String>,
    /// The assertion's life.
    pub expires_in: Duration,
    /// How long before now it holds already.
    pub not_before: Duration,
    /// Whether it has an id.
    pub with_id: bool,
}

/// Signature algorithms of assertions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AssertionAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}
