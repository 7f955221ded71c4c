//! The exchange that proves who we are: SaslHandshake, then SaslAuthenticate as often as the mechanism needs.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use config::client::HostPort;
use config::security::{AwsKeys, Credentials, Mechanism, ScramHash};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use kafka_wire::message::sasl_handshake::SaslHandshakeRequest;
use rand::RngExt as _;
use tokio::time::Instant;

use super::explain::words_of_peer;
use super::scram::Scram;
use super::{aws, kerberos};
use crate::connection::Connection;
use crate::error::ClientError;

/// Characters of a nonce: 24 of 62 are more than 128 bits.
const NONCE: usize = 24;

/// What a connection authenticates with.
#[derive(Debug)]
pub(crate) struct Login {
    pub(super) mechanism: Mechanism,
    /// The token of OAUTHBEARER.
    pub(super) token: Option<config::Secret<String>>,
    /// The keys of AWS_MSK_IAM.
    pub(super) aws: Option<AwsKeys>,
    /// The exchange of GSSAPI, which has been begun.
    pub(super) kerberos: Option<kerberos::Handshake>,
}

impl Login {
    /// What a broker says, without what it was told: some repeat it.
    fn in_words_of_peer(&self, words: &str) -> String {
        let told = match &self.mechanism {
            Mechanism::Plain(credentials) | Mechanism::Scram { credentials, .. } => {
                Some(&credentials.password)
            }
            _ => self.token.as_ref(),
        };
        match told.map(|secret| secret.expose()) {
            Some(secret) if !secret.is_empty() => {
                words_of_peer(&words.replace(secret.as_str(), "[hidden]"))
            }
            _ => words_of_peer(words),
        }
    }
}

/// Authenticates; gives the time after which the broker wants it done again.
///
/// # Errors
/// `Authentication` with the broker's words, or what the exchange meets.
pub(crate) async fn authenticate(
    connection: &mut Connection,
    login: &mut Login,
    deadline: Instant,
) -> Result<Option<Duration>, ClientError> {
    let mechanism = login.mechanism.name();
    let handshake = SaslHandshakeRequest {
        mechanism: mechanism.to_owned(),
    };
    let answer = connection.call(&handshake, left(deadline)).await?;
    match answer.error {
        ErrorCode::NONE => {}
        ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
            let offered = words_of_peer(&answer.mechanisms.join(", "));
            return Err(failed(
                connection.peer(),
                format!("it does not offer {mechanism} on this listener, but {offered}"),
                "set sasl.mechanism to one of these, with the login module of it".to_owned(),
            ));
        }
        ErrorCode::ILLEGAL_SASL_STATE => {
            return Err(failed(
                connection.peer(),
                "this listener does not authenticate by SASL".to_owned(),
                "set security.protocol to PLAINTEXT or SSL, or check the port".to_owned(),
            ));
        }
        code => {
            return Err(failed(
                connection.peer(),
                format!("it refuses SASL: {code}"),
                "its log says why".to_owned(),
            ));
        }
    }
    let kerberos = login.kerberos.take();
    let mut exchange = Exchange {
        connection,
        deadline,
        login,
    };
    let last = match &login.mechanism {
        Mechanism::Plain(credentials) => exchange.plain(credentials).await?,
        Mechanism::Scram {
            hash,
            credentials,
            token,
        } => exchange.scram(*hash, credentials, *token).await?,
        Mechanism::OAuthBearer(oauth) => exchange.bearer(&oauth.extensions).await?,
        Mechanism::AwsMskIam(_) => exchange.aws().await?,
        Mechanism::Gssapi(_) => exchange.gssapi(kerberos).await?,
    };
    let lifetime = u64::try_from(last.session_lifetime_ms).unwrap_or(0);
    Ok((lifetime > 0).then(|| Duration::from_millis(lifetime)))
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn failed(peer: &HostPort, cause: String, remedy: String) -> ClientError {
    ClientError::Authentication {
        peer: peer.clone(),
        cause,
        remedy,
    }
}

struct Exchange<'a> {
    connection: &'a mut Connection,
    deadline: Instant,
    login: &'a Login,
}

impl Exchange<'_> {
    async fn plain(
        &mut self,
        credentials: &Credentials,
    ) -> Result<SaslAuthenticateResponse, ClientError> {
        let Credentials { username, password } = credentials;
        let token = format!("\0{username}\0{}", password.expose());
        self.step(token.into_bytes()).await
    }

    async fn scram(
        &mut self,
        hash: ScramHash,
        credentials: &Credentials,
        token: bool,
    ) -> Result<SaslAuthenticateResponse, ClientError> {
        let scram = Scram {
            hash,
            username: &credentials.username,
            password: credentials.password.expose(),
            token,
            nonce: rand::rng()
                .sample_iter(rand::distr::Alphanumeric)
                .take(NONCE)
                .map(char::from)
                .collect(),
        };
        let first = self.step(scram.first().into_bytes()).await?;
        let (last, expected) = scram
            .last(&text(&first.token))
            .map_err(|problem| self.misbehaved(&problem))?;
        let answer = self.step(last.into_bytes()).await?;
        expected
            .check(&text(&answer.token))
            .map_err(|problem| self.misbehaved(&problem))?;
        Ok(answer)
    }

    async fn bearer(
        &mut self,
        extensions: &[(String, String)],
    ) -> Result<SaslAuthenticateResponse, ClientError> {
        let token = self.login.token.as_ref().map_or("", |token| token.expose());
        let mut message = format!("n,,\x01auth=Bearer {token}\x01");
        for (name, value) in extensions {
            message.push_str(&format!("{name}={value}\x01"));
        }
        message.push('\x01');
        let answer = self.step(message.into_bytes()).await?;
        if answer.token.is_empty() {
            return Ok(answer);
        }
        // RFC 7628, 3.2.3: a refusal comes as a challenge, and is acknowledged before it counts.
        let reason = text(&answer.token).into_owned();
        self.step(vec![1]).await?;
        Err(self.denied(&reason))
    }

    async fn aws(&mut self) -> Result<SaslAuthenticateResponse, ClientError> {
        let host = self.connection.peer().host.clone();
        let message = match &self.login.aws {
            Some(keys) => aws::message(&host, keys, SystemTime::now()),
            None => Err("there are no credentials".to_owned()),
        };
        let message = message.map_err(|cause| ClientError::Credentials {
            peer: self.connection.peer().clone(),
            cause,
        })?;
        self.step(message.into_bytes()).await
    }

    async fn gssapi(
        &mut self,
        handshake: Option<kerberos::Handshake>,
    ) -> Result<SaslAuthenticateResponse, ClientError> {
        let mut handshake = handshake.ok_or_else(|| self.misbehaved("it was not begun"))?;
        let refusal = handshake.refused();
        let outcome = async {
            while !handshake.is_finished() {
                let message = handshake.message();
                let answer = self.step(message).await?;
                handshake = handshake
                    .challenge(answer.token.to_vec())
                    .await
                    .map_err(|problem| self.misbehaved(&problem))?;
            }
            self.step(handshake.message()).await
        };
        let outcome = outcome.await;
        if let Err(ClientError::Authentication { .. }) = outcome {
            refusal.remember();
        }
        outcome
    }

    async fn step(&mut self, token: Vec<u8>) -> Result<SaslAuthenticateResponse, ClientError> {
        let request = SaslAuthenticateRequest {
            token: Bytes::from(token),
        };
        let answer = self.connection.call(&request, left(self.deadline)).await?;
        match answer.error {
            ErrorCode::NONE => Ok(answer),
            code => {
                let words = answer.error_message.unwrap_or_else(|| code.to_string());
                Err(self.denied(&words))
            }
        }
    }

    fn denied(&self, words: &str) -> ClientError {
        let words = self.login.in_words_of_peer(words);
        let mechanism = self.login.mechanism.name();
        let (who, remedy) = match &self.login.mechanism {
            Mechanism::Plain(credentials) | Mechanism::Scram { credentials, .. } => (
                format!(" as {}", credentials.username),
                "check username and password of sasl.jaas.config",
            ),
            Mechanism::AwsMskIam(_) => (
                self.login
                    .aws
                    .as_ref()
                    .map_or_else(String::new, |keys| format!(" with {}", keys.access_key_id)),
                "check the AWS credentials, the region, this machine's clock, and the policy's kafka-cluster:Connect",
            ),
            Mechanism::Gssapi(settings) => (
                settings
                    .principal
                    .as_ref()
                    .map_or_else(String::new, |principal| format!(" as {principal}")),
                "the key of the broker's own key table may be out of date, or its clock wrong; its log says more",
            ),
            Mechanism::OAuthBearer(_) => (
                String::new(),
                "check the token's issuer, audience, scope and life against the broker's settings",
            ),
        };
        failed(
            self.connection.peer(),
            format!("authentication by {mechanism}{who} was refused: {words}"),
            remedy.to_owned(),
        )
    }

    fn misbehaved(&self, problem: &str) -> ClientError {
        failed(
            self.connection.peer(),
            format!(
                "authentication by {} was broken off: {problem}",
                self.login.mechanism.name()
            ),
            "make sure that this is the broker you mean".to_owned(),
        )
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_says_is_short_and_holds_no_password() {
        let login = Login {
            mechanism: Mechanism::Plain(Credentials {
                username: "al".to_owned(),
                password: "hunter2".to_owned().into(),
            }),
            token: None,
            aws: None,
            kerberos: None,
        };
        assert_eq!(
            login.in_words_of_peer("no \x1b[31mhunter2\n for al"),
            "no [31m[hidden] for al"
        );
        let endless = login.in_words_of_peer(&"ü".repeat(1 << 20));
        assert_eq!(endless.chars().count(), 301);
    }
}
