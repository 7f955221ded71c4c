//! Keys of TLS.

use crate::key::Group::Security;
use crate::key::Kind::{Class, List, OneOf, Password, Text};
use crate::key::Treatment::{Ignored, Implemented, Rejected};
use crate::key::{ConfigKey, key};

const STORES: &[&str] = &["JKS", "PKCS12", "PEM"];

/// How connections are protected.
pub(super) const KEYS: &[ConfigKey] = &[
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
        "ssl.protocol",
        OneOf(&["TLSv1.3", "TLSv1.2", "TLS"]),
        Some("TLSv1.3"),
        Implemented,
        "preferred version of TLS",
    )
    .low(),
    key(
        Security,
        "ssl.enabled.protocols",
        List,
        Some("TLSv1.2,TLSv1.3"),
        Implemented,
        "versions of TLS that may be used",
    )
    .low(),
    key(
        Security,
        "ssl.cipher.suites",
        List,
        Some(""),
        Implemented,
        "ciphers that may be used, by their IANA names",
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
        "ssl.keystore.type",
        OneOf(STORES),
        Some("JKS"),
        Implemented,
        "form of the key store; its content decides between JKS and PKCS12",
    )
    .low(),
    key(
        Security,
        "ssl.keystore.location",
        Text,
        None,
        Implemented,
        "file with the key and its certificates",
    ),
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
        "ssl.key.password",
        Password,
        None,
        Implemented,
        "password of the key",
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
        "ssl.truststore.type",
        OneOf(STORES),
        Some("JKS"),
        Implemented,
        "form of the trust store",
    )
    .low(),
    key(
        Security,
        "ssl.truststore.location",
        Text,
        None,
        Implemented,
        "file with trusted certificates; unset takes those of the system",
    ),
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
        "ssl.truststore.certificates",
        Password,
        None,
        Implemented,
        "trusted certificates as PEM text",
    ),
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
        "ssl.endpoint.identification.algorithm",
        Text,
        Some("https"),
        Implemented,
        "check of host names; empty is off",
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
        "ssl.engine.factory.class",
        Class,
        None,
        Rejected("leave it out: TLS is native, and no Java code runs here"),
        "TLS engine",
    )
    .low(),
];
