//! A cluster with listeners as companies have them, each with its own protection, beside the two in plain text.
//!
//! | listener | protocol | |
//! |---|---|---|
//! | `MUTUAL` | SSL | wants a client certificate of the authority |
//! | `SASL` | SASL_PLAINTEXT | PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER |
//! | `BOTH` | SASL_SSL | the same mechanisms |
//! | `OTHER` | SSL | its certificate names another host |
//! | `EXPIRED` | SSL | its certificate has ended |
//!
//! Authorization is on and nobody has rights but the principals that `super.users` lists, so that a copy
//! proves that the broker knew who it was. Tokens have to be signed by the issuer of the material.

use std::path::{Path, PathBuf};

use crate::certificates::{Authority, CertificateError, write};
use crate::kafka_cluster::{ClusterBuilder, ClusterError, KafkaCluster};
use crate::kafka_jars::KafkaVersion;
use crate::token_issuer::{AUDIENCE, TokenIssuer};
use crate::tools::{CONFIG_COMMAND, KafkaTools, ToolError};

/// The name that has a password.
pub const USER: &str = "alice";
/// Its password with PLAIN, planted so that it can be searched for.
pub const PLAIN_PASSWORD: &str = "planted-plain-9Qx7";
/// Its password with SCRAM.
pub const SCRAM_PASSWORD: &str = "planted-scram-3Kw8";

/// A secure cluster could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SecureClusterError {
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// No cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No users.
    #[error(transparent)]
    Tools(#[from] ToolError),
    /// No directory.
    #[error("no directory for certificates: {0}")]
    Directory(#[from] std::io::Error),
}

/// What a secure cluster is made of before it is started.
#[derive(Debug)]
pub struct SecureMaterial {
    directory: tempfile::TempDir,
    /// Who issues the certificates of brokers and clients.
    pub authority: Authority,
    /// Whose tokens the brokers believe.
    pub issuer: TokenIssuer,
}

impl SecureMaterial {
    /// An authority, and certificates of brokers.
    ///
    /// # Errors
    /// No certificates or no directory.
    pub fn new() -> Result<Self, SecureClusterError> {
        let this = Self {
            directory: tempfile::tempdir()?,
            authority: Authority::new("Tributary test authority")?,
            issuer: TokenIssuer::new(),
        };
        let authority = &this.authority;
        let hosts = ["localhost", "127.0.0.1"];
        for (name, issued) in [
            ("broker", authority.issue("broker", &hosts)?),
            ("other", authority.issue("other", &["other.example"])?),
            (
                "expired",
                authority.issue_until("expired", &hosts, Some(2020))?,
            ),
            ("client", authority.issue("client", &["client.example"])?),
        ] {
            write(&this.path(&format!("{name}.pem")), &issued.pem())?;
        }
        write(&this.path("ca.pem"), authority.certificate())?;
        write(&this.path("jwks.json"), &this.issuer.key_set())?;
        Ok(this)
    }

    /// A file of the material: `ca.pem`, `client.pem`, `broker.pem`, and what tests put there.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of the files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A cluster with the listeners of the module's table, to be changed before its start.
    #[must_use]
    pub fn builder(&self, name: &str, version: KafkaVersion) -> ClusterBuilder {
        let keys = format!("file://{}", self.path("jwks.json").display());
        let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}");
        let mut builder = KafkaCluster::builder()
            .name(name)
            .version(version)
            .authorizer()
            .property(
                "super.users",
                "User:ANONYMOUS;User:alice;User:CN=client;User:token-bearer",
            )
            .property("connections.max.reauth.ms", "4000")
            .jvm_option(&allowed)
            .property("sasl.oauthbearer.jwks.endpoint.url", &keys)
            .property("sasl.oauthbearer.expected.audience", AUDIENCE);
        for (listener, protocol, certificate) in [
            ("MUTUAL", "SSL", Some("broker.pem")),
            ("SASL", "SASL_PLAINTEXT", None),
            ("BOTH", "SASL_SSL", Some("broker.pem")),
            ("OTHER", "SSL", Some("other.pem")),
            ("EXPIRED", "SSL", Some("expired.pem")),
        ] {
            builder = builder.listener(listener, protocol);
            let prefix = format!("listener.name.{}.", listener.to_lowercase());
            let mut set = |key: &str, value: &str| {
                builder = std::mem::take(&mut builder).property(&format!("{prefix}{key}"), value);
            };
            if let Some(certificate) = certificate {
                set("ssl.keystore.type", "PEM");
                set(
                    "ssl.keystore.location",
                    &self.path(certificate).display().to_string(),
                );
                set("ssl.truststore.type", "PEM");
                set(
                    "ssl.truststore.location",
                    &self.path("ca.pem").display().to_string(),
                );
            }
            if listener == "MUTUAL" {
                set("ssl.client.auth", "required");
            }
            if protocol.starts_with("SASL") {
                let module = "org.apache.kafka.common.security";
                set(
                    "sasl.enabled.mechanisms",
                    "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
                );
                let plain = format!(
                    "{module}.plain.PlainLoginModule required user_{USER}=\"{PLAIN_PASSWORD}\";"
                );
                set("plain.sasl.jaas.config", &plain);
                let scram = format!("{module}.scram.ScramLoginModule required;");
                set("scram-sha-256.sasl.jaas.config", &scram);
                set("scram-sha-512.sasl.jaas.config", &scram);
                let oauth = format!("{module}.oauthbearer.OAuthBearerLoginModule required;");
                let validator = format!("{module}.oauthbearer.OAuthBearerValidatorCallbackHandler");
                set("oauthbearer.sasl.server.callback.handler.class", &validator);
                set("oauthbearer.sasl.jaas.config", &oauth);
            }
        }
        builder
    }
}

/// Gives the user a password for a mechanism. One at a time: the brokers refuse two mechanisms of a user in one call.
///
/// # Errors
/// The tool's.
pub async fn add_scram_user(
    cluster: &KafkaCluster,
    mechanism: &str,
    password: &str,
) -> Result<(), ToolError> {
    let tools = KafkaTools::for_version(cluster.version())?;
    let config = format!("{mechanism}=[password={password}]");
    let bootstrap = cluster.bootstrap();
    let mut arguments = vec!["--bootstrap-server", &bootstrap];
    arguments.extend(["--alter", "--add-config", &config]);
    arguments.extend(["--entity-type", "users", "--entity-name", USER]);
    tools.run(CONFIG_COMMAND, &arguments).await.map(drop)
}
