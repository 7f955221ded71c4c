//! Keys of TLS and SASL, which every client has.
//!
//! Long because it is a table.

use crate::key::Group::Security;
use crate::key::Kind::{Boolean, Class, Fraction, List, Number, OneOf, Password, Text};
use crate::key::Treatment::{Ignored, Implemented, NotYet, Rejected};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG};

/// TLS and SASL.
pub(crate) const KEYS: &[ConfigKey] = &[
    key(
        Security,
        "security.protocol",
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        Some("PLAINTEXT"),
        Implemented,
        "how connections are protected",
    )
    .high(),
    key(
        Security,
        "sasl.mechanism",
        Text,
        Some("GSSAPI"),
        Implemented,
        "how this client authenticates: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM",
    )
    .high(),
    key(
        Security,
        "sasl.jaas.config",
        Password,
        None,
        Implemented,
        "login module with its options",
    )
    .high(),
    key(
        Security,
        "sasl.jaas.config.jndi.allowlist",
        Text,
        None,
        Ignored,
        "no such module exists here",
    )
    .low(),
    key(
        Security,
        "sasl.kerberos.kinit.cmd",
        Text,
        Some("/usr/bin/kinit"),
        Ignored,
        "path of kinit",
    )
    .low(),
    key(
        Security,
        "sasl.kerberos.*",
        Text,
        None,
        NotYet("GSSAPI is not supported yet"),
        "Kerberos",
    )
    .low(),
    key(
        Security,
        "sasl.login.class",
        Text,
        None,
        Rejected("leave it out: Tributary runs no Java plugins"),
        "login implementation",
    )
    .low(),
    key(
        Security,
        "sasl.login.callback.handler.class",
        Class,
        None,
        Implemented,
        "obtains tokens; only the classes of Kafka itself",
    )
    .low(),
    key(
        Security,
        "sasl.client.callback.handler.class",
        Class,
        None,
        Implemented,
        "answers challenges; only the classes of Kafka itself",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.window.factor",
        Fraction,
        Some("0.8"),
        Implemented,
        "part of its life after which a token is replaced",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.window.jitter",
        Fraction,
        Some("0.05"),
        Ignored,
        "spread of that; there is one login for each link and side",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.min.period.seconds",
        Number(0, 900),
        Some("60"),
        Implemented,
        "a token is kept at least this long",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.buffer.seconds",
        Number(0, 3600),
        Some("300"),
        Implemented,
        "a token is replaced so long before it expires",
    )
    .low(),
    key(
        Security,
        "sasl.login.connect.timeout.ms",
        Number(1, INT),
        None,
        Implemented,
        "limit of a connection to the token endpoint",
    )
    .low(),
    key(
        Security,
        "sasl.login.read.timeout.ms",
        Number(1, INT),
        None,
        Implemented,
        "limit of an answer of the token endpoint",
    )
    .low(),
    key(
        Security,
        "sasl.login.retry.backoff.ms",
        Number(0, LONG),
        Some("100"),
        Ignored,
        "connections are tried again with reconnect.backoff.ms",
    )
    .low(),
    key(
        Security,
        "sasl.login.retry.backoff.max.ms",
        Number(0, LONG),
        Some("10000"),
        Ignored,
        "connections are tried again with reconnect.backoff.max.ms",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.token.endpoint.url",
        Text,
        None,
        Implemented,
        "where tokens come from: https, http or file",
    ),
    key(
        Security,
        "sasl.oauthbearer.scope",
        Text,
        None,
        Implemented,
        "scope that is asked for",
    ),
    key(
        Security,
        "sasl.oauthbearer.client.credentials.client.id",
        Text,
        None,
        Implemented,
        "the client's id",
    ),
    key(
        Security,
        "sasl.oauthbearer.client.credentials.client.secret",
        Password,
        None,
        Implemented,
        "the client's secret",
    ),
    key(
        Security,
        "sasl.oauthbearer.header.urlencode",
        Boolean,
        Some("false"),
        Implemented,
        "URL-encode id and secret",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.scope.claim.name",
        Text,
        Some("scope"),
        Ignored,
        "the broker reads it",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.sub.claim.name",
        Text,
        Some("sub"),
        Ignored,
        "the broker reads it",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwt.retriever.class",
        Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        Implemented,
        "how tokens are obtained; only the classes of Kafka itself",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwt.validator.class",
        Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        Implemented,
        "checks tokens; only the classes of Kafka itself",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.algorithm",
        OneOf(&["RS256", "ES256"]),
        Some("RS256"),
        Implemented,
        "signature of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.aud",
        Text,
        None,
        Implemented,
        "claim of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.iss",
        Text,
        None,
        Implemented,
        "claim of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.sub",
        Text,
        None,
        Implemented,
        "claim of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        Number(0, 86400),
        Some("300"),
        Implemented,
        "life of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        Number(0, 3600),
        Some("60"),
        Implemented,
        "assertions hold from so long ago",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.jti.include",
        Boolean,
        Some("false"),
        Implemented,
        "give every assertion an id",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.file",
        Text,
        None,
        Implemented,
        "file with a signed assertion",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.private.key.file",
        Text,
        None,
        Implemented,
        "PEM file with the key that signs assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.private.key.passphrase",
        Password,
        None,
        Implemented,
        "passphrase of that key",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.template.file",
        Text,
        None,
        Implemented,
        "JSON file with further entries of header and payload",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.aws.iam.webidentitytoken.*",
        Text,
        None,
        NotYet("tokens are not obtained from AWS yet"),
        "tokens from AWS",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwks.*",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.expected.*",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.clock.skew.seconds",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jti.validation.enabled",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.iat.validation.enabled",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.login.*",
        Text,
        None,
        NotYet("no setting of this name is known"),
        "SASL login",
    )
    .low(),
    key(
        Security,
        "sasl.*",
        Text,
        None,
        NotYet("no setting of this name is known"),
        "SASL",
    )
    .low(),
    key(
        Security,
        "ssl.protocol",
        Text,
        Some("TLSv1.3"),
        Implemented,
        "TLSv1.3, TLSv1.2 or TLS; ssl.enabled.protocols decides",
    )
    .low(),
    key(
        Security,
        "ssl.enabled.protocols",
        List,
        Some("TLSv1.2,TLSv1.3"),
        Implemented,
        "versions of TLS that may be spoken",
    ),
    key(
        Security,
        "ssl.cipher.suites",
        List,
        Some(""),
        Implemented,
        "suites that may be used, by IANA names",
    )
    .low(),
    key(
        Security,
        "ssl.endpoint.identification.algorithm",
        Text,
        Some("https"),
        Implemented,
        "https: the certificate has to name the host; empty: it need not",
    ),
    key(
        Security,
        "ssl.truststore.location",
        Text,
        None,
        Implemented,
        "file with trusted certificates; without it the system's are trusted",
    )
    .high(),
    key(
        Security,
        "ssl.truststore.password",
        Password,
        None,
        Implemented,
        "password of the trust store",
    ),
    key(
        Security,
        "ssl.truststore.type",
        OneOf(&["JKS", "PKCS12", "PEM"]),
        Some("JKS"),
        Implemented,
        "kind of the trust store; the file's content decides",
    )
    .low(),
    key(
        Security,
        "ssl.truststore.certificates",
        Password,
        None,
        Implemented,
        "trusted certificates as PEM text",
    ),
    key(
        Security,
        "ssl.keystore.location",
        Text,
        None,
        Implemented,
        "file with this client's key and certificate",
    )
    .high(),
    key(
        Security,
        "ssl.keystore.password",
        Password,
        None,
        Implemented,
        "password of the key store",
    ),
    key(
        Security,
        "ssl.keystore.type",
        OneOf(&["JKS", "PKCS12", "PEM"]),
        Some("JKS"),
        Implemented,
        "kind of the key store; the file's content decides",
    )
    .low(),
    key(
        Security,
        "ssl.key.password",
        Password,
        None,
        Implemented,
        "password of the key; without it the store's",
    ),
    key(
        Security,
        "ssl.keystore.key",
        Password,
        None,
        Implemented,
        "private key as PEM text",
    ),
    key(
        Security,
        "ssl.keystore.certificate.chain",
        Password,
        None,
        Implemented,
        "certificates as PEM text",
    ),
    key(
        Security,
        "ssl.engine.factory.class",
        Class,
        None,
        Rejected("leave it out: Tributary runs no Java plugins"),
        "TLS implementation",
    )
    .low(),
    key(
        Security,
        "ssl.provider",
        Text,
        None,
        Ignored,
        "provider of the JVM",
    )
    .low(),
    key(
        Security,
        "ssl.keymanager.algorithm",
        Text,
        Some("SunX509"),
        Ignored,
        "key manager of the JVM",
    )
    .low(),
    key(
        Security,
        "ssl.trustmanager.algorithm",
        Text,
        Some("PKIX"),
        Ignored,
        "trust manager of the JVM",
    )
    .low(),
    key(
        Security,
        "ssl.secure.random.implementation",
        Text,
        None,
        Ignored,
        "random numbers of the JVM",
    )
    .low(),
    key(
        Security,
        "ssl.*",
        Text,
        None,
        NotYet("no setting of this name is known"),
        "TLS",
    )
    .low(),
];

/// Whether a key without its prefix is one of these.
pub(crate) fn is_security(name: &str) -> bool {
    name == "security.protocol" || name.starts_with("ssl.") || name.starts_with("sasl.")
}
