//! Keys of SASL.

use crate::key::Group::Security;
use crate::key::Kind::{Boolean, Class, ClassOf, Fraction, List, Number, OneOf, Password, Text};
use crate::key::Treatment::{Ignored, Implemented, Rejected};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG};

const MECHANISMS: &[&str] = &[
    "PLAIN",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "OAUTHBEARER",
    "GSSAPI",
    "AWS_MSK_IAM",
];
const NO_HANDLERS: &str =
    "logins are native: set sasl.mechanism, sasl.jaas.config and sasl.oauthbearer.* instead";
const LOGIN_HANDLERS: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler",
];
const RETRIEVERS: &[&str] = &[
    "DefaultJwtRetriever",
    "ClientCredentialsJwtRetriever",
    "JwtBearerJwtRetriever",
    "FileJwtRetriever",
];
const VALIDATORS: &[&str] = &["DefaultJwtValidator", "ClientJwtValidator"];

/// How a client proves who it is.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Security,
        "sasl.mechanism",
        OneOf(MECHANISMS),
        Some("GSSAPI"),
        Implemented,
        "how the client proves who it is",
    ),
    key(
        Security,
        "sasl.jaas.config",
        Password,
        None,
        Implemented,
        "login module with its options",
    ),
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
        "sasl.client.callback.handler.class",
        ClassOf(
            &["software.amazon.msk.auth.iam.IAMClientCallbackHandler"],
            NO_HANDLERS,
        ),
        None,
        Implemented,
        "client callback handler",
    )
    .low(),
    key(
        Security,
        "sasl.login.callback.handler.class",
        ClassOf(LOGIN_HANDLERS, NO_HANDLERS),
        None,
        Implemented,
        "login callback handler",
    )
    .low(),
    key(
        Security,
        "sasl.login.class",
        Class,
        None,
        Rejected("leave it out: logins are native, and no Java code runs here"),
        "login implementation",
    )
    .low(),
    key(
        Security,
        "sasl.kerberos.service.name",
        Text,
        None,
        Implemented,
        "name of the brokers' service",
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
        "sasl.kerberos.ticket.renew.window.factor",
        Fraction,
        Some("0.8"),
        Implemented,
        "when tickets are renewed",
    )
    .low(),
    key(
        Security,
        "sasl.kerberos.ticket.renew.jitter",
        Fraction,
        Some("0.05"),
        Implemented,
        "scatter of that",
    )
    .low(),
    key(
        Security,
        "sasl.kerberos.min.time.before.relogin",
        Number(0, LONG),
        Some("60000"),
        Implemented,
        "least time between logins",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.window.factor",
        Fraction,
        Some("0.8"),
        Implemented,
        "when tokens are renewed",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.window.jitter",
        Fraction,
        Some("0.05"),
        Implemented,
        "scatter of that",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.min.period.seconds",
        Number(0, 900),
        Some("60"),
        Implemented,
        "least time between renewals",
    )
    .low(),
    key(
        Security,
        "sasl.login.refresh.buffer.seconds",
        Number(0, 3600),
        Some("300"),
        Implemented,
        "time left when a token is renewed",
    )
    .low(),
    key(
        Security,
        "sasl.login.connect.timeout.ms",
        Number(0, INT),
        None,
        Implemented,
        "limit of connecting to the identity provider",
    )
    .low(),
    key(
        Security,
        "sasl.login.read.timeout.ms",
        Number(0, INT),
        None,
        Implemented,
        "limit of its answer",
    )
    .low(),
    key(
        Security,
        "sasl.login.retry.backoff.ms",
        Number(0, LONG),
        Some("100"),
        Implemented,
        "first pause after it failed",
    )
    .low(),
    key(
        Security,
        "sasl.login.retry.backoff.max.ms",
        Number(0, LONG),
        Some("10000"),
        Implemented,
        "longest pause after it failed",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.scope.claim.name",
        Text,
        Some("scope"),
        Implemented,
        "claim that tokens must have; unset: the broker alone judges",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.sub.claim.name",
        Text,
        Some("sub"),
        Implemented,
        "claim that tokens must have; unset: the broker alone judges",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.token.endpoint.url",
        Text,
        None,
        Implemented,
        "where tokens come from",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwks.endpoint.url",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        Number(0, LONG),
        Some("3600000"),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        Number(0, LONG),
        Some("10000"),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        Number(0, LONG),
        Some("100"),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.clock.skew.seconds",
        Number(0, INT),
        Some("30"),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.expected.audience",
        List,
        Some(""),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.expected.issuer",
        Text,
        None,
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.header.urlencode",
        Boolean,
        Some("false"),
        Implemented,
        "encode id and secret in the header",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jti.validation.enabled",
        Boolean,
        Some("false"),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.iat.validation.enabled",
        Boolean,
        Some("false"),
        Ignored,
        "for brokers",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwt.retriever.class",
        ClassOf(RETRIEVERS, NO_HANDLERS),
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        Implemented,
        "how the token is obtained",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.jwt.validator.class",
        ClassOf(VALIDATORS, NO_HANDLERS),
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        Implemented,
        "how the token is checked",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.scope",
        Text,
        None,
        Implemented,
        "scope that is asked for",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.client.credentials.client.id",
        Text,
        None,
        Implemented,
        "id of the client",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.client.credentials.client.secret",
        Password,
        None,
        Implemented,
        "secret of the client",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.algorithm",
        OneOf(&["RS256", "ES256"]),
        Some("RS256"),
        Implemented,
        "how assertions are signed",
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
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        Number(0, INT),
        Some("300"),
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
        "sasl.oauthbearer.assertion.claim.jti.include",
        Boolean,
        Some("false"),
        Implemented,
        "claim of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        Number(0, INT),
        Some("60"),
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
        "sasl.oauthbearer.assertion.file",
        Text,
        None,
        Implemented,
        "file with an assertion",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.assertion.private.key.file",
        Text,
        None,
        Implemented,
        "key that signs assertions",
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
        "further claims of assertions",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.aws.iam.webidentitytoken.audience",
        Text,
        None,
        Implemented,
        "whom a token of AWS is for; set, tokens come from AWS",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.aws.iam.webidentitytoken.duration.seconds",
        Number(60, 3_600),
        Some("300"),
        Implemented,
        "its life, within what AWS allows",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.aws.iam.webidentitytoken.region",
        Text,
        None,
        Implemented,
        "whose token service; unset: that of AWS_REGION",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.aws.iam.webidentitytoken.signing.algorithm",
        OneOf(&["ES384", "RS256"]),
        Some("ES384"),
        Implemented,
        "how AWS signs it",
    )
    .low(),
    key(
        Security,
        "sasl.oauthbearer.aws.iam.webidentitytoken.tags",
        Text,
        None,
        Implemented,
        "claims that AWS adds: name=value,name=value",
    )
    .low(),
];
