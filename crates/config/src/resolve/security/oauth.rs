//! Where the tokens of OAUTHBEARER come from.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::jaas::JaasEntry;
use crate::key::parse_boolean;
use crate::raw::RawEntry;
use crate::security::{
    Assertion, AssertionAlgorithm, AwsToken, Endpoint, LoginRetry, OAuth, Refresh, SignedAssertion,
    TlsSettings, TokenSource,
};

use super::Builder;
use super::unsecured::is_unsecured;

pub(super) const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
const VALIDATOR: &str = "sasl.oauthbearer.jwt.validator.class";
const AWS_AUDIENCE: &str = "sasl.oauthbearer.aws.iam.webidentitytoken.audience";
const AWS_TAGS: &str = "sasl.oauthbearer.aws.iam.webidentitytoken.tags";
const AWS_REGION: &str = "sasl.oauthbearer.aws.iam.webidentitytoken.region";
pub(super) const ASSERTION_FILE: &str = "sasl.oauthbearer.assertion.file";
pub(super) const ASSERTION_KEY: &str = "sasl.oauthbearer.assertion.private.key.file";
pub(super) const ASSERTION_TEMPLATE: &str = "sasl.oauthbearer.assertion.template.file";

/// Limit of a connection and of an answer where nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl Builder<'_> {
    pub(super) fn oauth(&mut self, jaas: Option<&JaasEntry>) -> Option<OAuth> {
        self.validator();
        let source = match jaas.filter(|jaas| is_unsecured(jaas)) {
            Some(jaas) => self.unsecured(jaas)?,
            None => self.source(jaas)?,
        };
        Some(OAuth {
            source,
            extensions: self.extensions(jaas),
            tls: self.endpoint_tls(jaas)?,
            connect_timeout: self.limit("sasl.login.connect.timeout.ms"),
            read_timeout: self.limit("sasl.login.read.timeout.ms"),
            refresh: self.refresh(),
            retry: self.login_retry(),
            claims: self.claims(),
        })
    }

    fn validator(&mut self) {
        let known = ["DefaultJwtValidator", "ClientJwtValidator"];
        if let Some(class) = self.text(VALIDATOR)
            && !known.contains(&simple(class))
        {
            let remedy = "leave it out; the broker checks the token";
            self.refuse(VALIDATOR, "Tributary runs no Java plugins", remedy);
        }
    }

    fn source(&mut self, jaas: Option<&JaasEntry>) -> Option<TokenSource> {
        if self.entry(AWS_AUDIENCE).is_some() {
            return self.aws_token();
        }
        let retriever = self.text(RETRIEVER).map_or("DefaultJwtRetriever", simple);
        let Some(url) = self.text(URL) else {
            self.missing(
                URL,
                "it is not said where tokens come from",
                "set it to the token endpoint (https://…) or to a file with a token (file:///…)",
            );
            return None;
        };
        let asserts = self.entry(ASSERTION_FILE).is_some() || self.entry(ASSERTION_KEY).is_some();
        match retriever {
            "FileJwtRetriever" => self.token_file(url),
            "DefaultJwtRetriever" if url.starts_with("file:") => self.token_file(url),
            "JwtBearerJwtRetriever" => self.jwt_bearer(url, jaas),
            "DefaultJwtRetriever" if asserts => self.jwt_bearer(url, jaas),
            "DefaultJwtRetriever" | "ClientCredentialsJwtRetriever" => {
                self.client_credentials(url, jaas)
            }
            _ => {
                self.refuse(
                    RETRIEVER,
                    "Tributary runs no Java plugins",
                    "choose one of DefaultJwtRetriever, ClientCredentialsJwtRetriever, JwtBearerJwtRetriever, \
                     FileJwtRetriever",
                );
                None
            }
        }
    }

    fn token_file(&mut self, url: &str) -> Option<TokenSource> {
        let path = url
            .strip_prefix("file://")
            .or_else(|| url.strip_prefix("file:"));
        match path.filter(|path| path.starts_with('/')) {
            Some(path) => Some(TokenSource::File(path.into())),
            None => {
                self.refuse(
                    URL,
                    "it is no file with an absolute path",
                    "write file:///path/to/token",
                );
                None
            }
        }
    }

    fn client_credentials(&mut self, url: &str, jaas: Option<&JaasEntry>) -> Option<TokenSource> {
        let endpoint = self.endpoint(url);
        let mut look = |key: &str, option: &str| {
            let name = format!("sasl.oauthbearer.client.credentials.{key}");
            let found = self
                .secret(&name)
                .or_else(|| jaas.and_then(|entry| entry.option(option)).cloned());
            if found.is_none() {
                self.missing(
                    &name,
                    "the token endpoint wants to know who asks",
                    format!("set it, or the option {option} of sasl.jaas.config"),
                );
            }
            found
        };
        let client_id = look("client.id", "clientId");
        let client_secret = look("client.secret", "clientSecret");
        Some(TokenSource::ClientCredentials {
            endpoint: endpoint?,
            client_id: client_id?.expose().clone(),
            client_secret: client_secret?,
            scope: self.scope(jaas),
            urlencode: self.boolean("sasl.oauthbearer.header.urlencode"),
        })
    }

    fn jwt_bearer(&mut self, url: &str, jaas: Option<&JaasEntry>) -> Option<TokenSource> {
        let endpoint = self.endpoint(url);
        let assertion = match (self.text(ASSERTION_FILE), self.text(ASSERTION_KEY)) {
            (Some(file), None) => Some(Assertion::File(file.into())),
            (None, Some(key)) => Some(Assertion::Signed(self.signed(key))),
            (Some(_), Some(_)) => {
                self.refuse(
                    ASSERTION_FILE,
                    "an assertion is given here, and a key that signs one",
                    "leave one of both out",
                );
                None
            }
            (None, None) => {
                self.missing(
                    ASSERTION_KEY,
                    "there is no assertion to be exchanged for a token",
                    format!("set it to a PEM file, or {ASSERTION_FILE} to a signed assertion"),
                );
                None
            }
        };
        Some(TokenSource::JwtBearer {
            endpoint: endpoint?,
            assertion: assertion?,
            scope: self.scope(jaas),
        })
    }

    fn aws_token(&mut self) -> Option<TokenSource> {
        if self.entry(URL).is_some() {
            self.refuse(
                URL,
                format!("tokens come from here, or from AWS, which {AWS_AUDIENCE} asks for"),
                "leave one of both out",
            );
            return None;
        }
        let audience = self.text(AWS_AUDIENCE)?.to_owned();
        let services = self.aws_services()?;
        let region = self.text(AWS_REGION).or(services.region.as_deref());
        let Some(region) = region.map(str::to_owned) else {
            self.missing(
                AWS_REGION,
                "AWS gives such tokens only in a region",
                "set it, or the environment's AWS_REGION",
            );
            return None;
        };
        let tags = self.aws_tags()?;
        let credentials = self.aws_source(None, &services)?;
        let (token_service, token_region) = services.token_service(Some(&region));
        let text =
            |name: &str| self.text(&format!("sasl.oauthbearer.aws.iam.webidentitytoken.{name}"));
        let seconds = text("duration.seconds").and_then(|text| text.parse().ok());
        Some(TokenSource::Aws(Box::new(AwsToken {
            credentials,
            audience,
            duration: Duration::from_secs(seconds.unwrap_or(300)),
            algorithm: text("signing.algorithm").unwrap_or("ES384").to_owned(),
            tags,
            token_service,
            token_region,
        })))
    }

    fn aws_tags(&mut self) -> Option<Vec<(String, String)>> {
        let read = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
        };
        let tags: Option<Vec<_>> = self.list(AWS_TAGS).into_iter().map(read).collect();
        if tags.is_none() {
            self.refuse(
                AWS_TAGS,
                "it is no list of names with values",
                "write name=value,name=value",
            );
        }
        tags
    }

    fn signed(&self, key_file: &str) -> SignedAssertion {
        let key = |name: &str| format!("sasl.oauthbearer.assertion.{name}");
        let text = |name: &str| self.text(&key(name)).map(str::to_owned);
        let seconds = |name: &str, otherwise| {
            let given = self.text(&key(name)).and_then(|text| text.parse().ok());
            Duration::from_secs(given.unwrap_or(otherwise))
        };
        SignedAssertion {
            key_file: key_file.into(),
            passphrase: self.secret(&key("private.key.passphrase")),
            algorithm: match self.text(&key("algorithm")) {
                Some("ES256") => AssertionAlgorithm::Es256,
                _ => AssertionAlgorithm::Rs256,
            },
            template: text("template.file").map(Into::into),
            audience: text("claim.aud"),
            issuer: text("claim.iss"),
            subject: text("claim.sub"),
            expires_in: seconds("claim.exp.seconds", 300),
            not_before: seconds("claim.nbf.seconds", 60),
            with_id: self.boolean(&key("claim.jti.include")),
        }
    }

    fn scope(&self, jaas: Option<&JaasEntry>) -> Option<String> {
        self.text("sasl.oauthbearer.scope")
            .map(str::to_owned)
            .or_else(|| Some(jaas?.option("scope")?.expose().clone()))
    }

    fn extensions(&mut self, jaas: Option<&JaasEntry>) -> Vec<(String, String)> {
        let mut extensions = Vec::new();
        for (option, value) in jaas.iter().flat_map(|entry| &entry.options) {
            let Some(name) = option.strip_prefix("extension_") else {
                continue;
            };
            let value = value.expose();
            // RFC 7628, 3.1; `auth` is the token's own.
            let legal = !name.is_empty()
                && name != "auth"
                && name.bytes().all(|byte| byte.is_ascii_alphabetic())
                && value
                    .bytes()
                    .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
            if legal {
                extensions.push((name.to_owned(), value.clone()));
            } else {
                self.refuse(
                    "sasl.jaas.config",
                    format!("{option} is no extension"),
                    "names are letters, and not auth; values are printable ASCII",
                );
            }
        }
        extensions
    }

    /// `ssl.*` options of the login module; `None` where one of them is wrong.
    #[expect(
        clippy::option_option,
        reason = "outside: whether there is a problem; inside: whether there are settings"
    )]
    fn endpoint_tls(&mut self, jaas: Option<&JaasEntry>) -> Option<Option<TlsSettings>> {
        // From a file the module has no entry; any other tells as well where its options stand.
        let own = self.entries.get("sasl.jaas.config");
        let Some(own) = own.or_else(|| self.entries.get("security.protocol")) else {
            return Some(None);
        };
        let key = self.full("sasl.jaas.config");
        let options: BTreeMap<String, RawEntry> = jaas
            .iter()
            .flat_map(|entry| &entry.options)
            .filter(|(name, _)| name.starts_with("ssl."))
            .map(|(name, value)| {
                let mut entry = own.clone();
                value.expose().clone_into(&mut entry.value);
                (name.clone(), entry)
            })
            .collect();
        if options.is_empty() {
            return Some(None);
        }
        let mut nested = Builder::new(&options, None);
        let tls = nested.tls();
        for mut problem in nested.problems {
            problem.key.clone_from(&key);
            problem.shown = Some("[hidden]".to_owned());
            self.problems.push(problem);
        }
        tls.map(Some)
    }

    fn refresh(&self) -> Refresh {
        let defaults = Refresh::default();
        let seconds = |name: &str| {
            self.text(name)
                .and_then(|text| text.parse().ok())
                .map(Duration::from_secs)
        };
        Refresh {
            window_per_mille: self
                .per_mille("sasl.login.refresh.window.factor")
                .map_or(defaults.window_per_mille, |share| share.max(500)),
            jitter_per_mille: self
                .per_mille("sasl.login.refresh.window.jitter")
                .unwrap_or(defaults.jitter_per_mille),
            min_period: seconds("sasl.login.refresh.min.period.seconds")
                .unwrap_or(defaults.min_period),
            buffer: seconds("sasl.login.refresh.buffer.seconds").unwrap_or(defaults.buffer),
        }
    }

    fn login_retry(&self) -> LoginRetry {
        let defaults = LoginRetry::default();
        let pause = |name: &str, otherwise| self.millis(name).unwrap_or(otherwise);
        LoginRetry {
            first: pause("sasl.login.retry.backoff.ms", defaults.first),
            longest: pause("sasl.login.retry.backoff.max.ms", defaults.longest),
        }
    }

    /// Without these keys the broker alone judges a token, which need not be readable for us then.
    fn claims(&self) -> Vec<(&'static str, String)> {
        [
            "sasl.oauthbearer.scope.claim.name",
            "sasl.oauthbearer.sub.claim.name",
        ]
        .into_iter()
        .filter_map(|key| Some((key, self.text(key)?.to_owned())))
        .collect()
    }

    fn millis(&self, name: &str) -> Option<Duration> {
        let number = self.text(name)?.parse().ok()?;
        Some(Duration::from_millis(number))
    }

    /// A limit; 0, which sets none in Java, is the usual one here: nothing is waited for without end.
    fn limit(&self, name: &str) -> Duration {
        let limit = self.millis(name).filter(|limit| !limit.is_zero());
        limit.unwrap_or(DEFAULT_TIMEOUT)
    }

    fn boolean(&self, name: &str) -> bool {
        self.text(name).and_then(parse_boolean) == Some(true)
    }

    fn endpoint(&mut self, url: &str) -> Option<Endpoint> {
        let endpoint = parse_endpoint(url);
        if endpoint.is_none() {
            self.refuse(
                URL,
                "it is no address of a token endpoint",
                "write https://host/path; names and passwords in it are not used",
            );
        }
        if endpoint
            .as_ref()
            .is_some_and(|at| !at.tls && !is_of_this_machine(&at.host))
        {
            let key = self.full(URL);
            self.warn(format!(
                "{key} is http: the client's credentials and the token are sent readable over the network; https protects \
                 them"
            ));
        }
        endpoint
    }
}

pub(super) fn is_of_this_machine(host: &str) -> bool {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    host.eq_ignore_ascii_case("localhost")
        || host == "::1"
        || (host.starts_with("127.") && host.chars().all(digits))
}

fn simple(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

pub(super) fn parse_endpoint(url: &str) -> Option<Endpoint> {
    let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or("");
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if authority.contains('@') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let otherwise = if tls { 443 } else { 80 };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => otherwise,
    };
    (!host.is_empty()).then(|| Endpoint {
        tls,
        host: host.to_owned(),
        port,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_token_endpoints_are_taken_apart() {
        let show = |url| {
            parse_endpoint(url).map(|e| format!("{} {} {} {}", e.tls, e.host, e.port, e.path))
        };
        for (url, expected) in [
            (
                "https://idp.example/oauth/token?x=1#f",
                Some("true idp.example 443 /oauth/token?x=1"),
            ),
            ("http://127.0.0.1:8080", Some("false 127.0.0.1 8080 /")),
            ("https://[::1]:99/t", Some("true ::1 99 /t")),
            ("https://idp?x", Some("true idp 443 /?x")),
            ("ftp://idp/", None),
            ("https:///t", None),
            ("https://a:b@idp/t", None),
            ("https://idp:0/t", None),
            ("https://idp/a b", None),
        ] {
            assert_eq!(show(url).as_deref(), expected, "{url}");
        }
    }
}
