//! Keys of the HTTP listener.

use crate::key::Group::{Rest, Worker};
use crate::key::Kind::{Boolean, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, NotYet};
use crate::key::{ConfigKey, key};

const NO_REST: &str = "there is no HTTP listener yet";

/// Keys of the HTTP listener.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Rest,
        "listeners",
        List,
        Some("http://:8083"),
        NotYet(NO_REST),
        "addresses of the HTTP listener",
    ),
    key(
        Rest,
        "listeners.https.*",
        Text,
        None,
        NotYet(NO_REST),
        "TLS of the listener",
    )
    .low(),
    key(
        Rest,
        "rest.advertised.host.name",
        Text,
        None,
        NotYet(NO_REST),
        "address that other workers see",
    )
    .low(),
    key(
        Rest,
        "rest.advertised.port",
        Number(0, 65535),
        None,
        NotYet(NO_REST),
        "address that other workers see",
    )
    .low(),
    key(
        Rest,
        "rest.advertised.listener",
        Text,
        None,
        NotYet(NO_REST),
        "address that other workers see",
    )
    .low(),
    key(
        Rest,
        "rest.host.name",
        Text,
        None,
        NotYet(NO_REST),
        "removed in Kafka 3.0; listeners",
    )
    .low(),
    key(
        Rest,
        "rest.port",
        Number(0, 65535),
        None,
        NotYet(NO_REST),
        "removed in Kafka 3.0; listeners",
    )
    .low(),
    key(
        Rest,
        "admin.listeners",
        List,
        None,
        NotYet(NO_REST),
        "addresses of the administrative listener",
    )
    .low(),
    key(
        Rest,
        "admin.listeners.https.*",
        Text,
        None,
        NotYet(NO_REST),
        "TLS of that",
    )
    .low(),
    key(
        Rest,
        "ssl.client.auth",
        OneOf(&["none", "requested", "required"]),
        Some("none"),
        NotYet(NO_REST),
        "client certificates",
    )
    .low(),
    key(
        Rest,
        "access.control.allow.origin",
        Text,
        Some(""),
        NotYet(NO_REST),
        "cross-origin requests",
    )
    .low(),
    key(
        Rest,
        "access.control.allow.methods",
        Text,
        Some(""),
        NotYet(NO_REST),
        "cross-origin requests",
    )
    .low(),
    key(
        Rest,
        "response.http.headers.config",
        Text,
        Some(""),
        NotYet(NO_REST),
        "headers of answers",
    )
    .low(),
    key(
        Rest,
        "tributary.rest.hide.secrets",
        Boolean,
        Some("false"),
        NotYet(NO_REST),
        "hide literal secrets in answers",
    )
    .low(),
    key(
        Worker,
        "tributary.ui.*",
        Text,
        None,
        NotYet(NO_REST),
        "web pages",
    )
    .low(),
    key(
        Rest,
        "rest.extension.classes",
        List,
        Some(""),
        Ignored,
        "extensions of the HTTP listener",
    )
    .low(),
];
