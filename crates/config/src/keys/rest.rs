//! Keys of the HTTP listener.

use crate::key::Group::{Rest, Worker};
use crate::key::Kind::{Boolean, List, Number, OneOf, Text};
use crate::key::Treatment::{Implemented, NotYet};
use crate::key::{ConfigKey, key};

const NO_UI: &str = "the control center shows no records yet";

/// Keys of the HTTP listener.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Rest,
        "listeners",
        List,
        Some("http://:8083"),
        Implemented,
        "addresses of the HTTP listener; where unset, port 8083 of this machine, for this machine only",
    ),
    key(
        Rest,
        "listeners.https.*",
        Text,
        None,
        Implemented,
        "TLS of the listeners: ssl.* behind it; one of them replaces all of the worker's own ssl.*",
    )
    .low(),
    key(
        Rest,
        "rest.advertised.host.name",
        Text,
        None,
        Implemented,
        "host by which others know this worker",
    )
    .low(),
    key(
        Rest,
        "rest.advertised.port",
        Number(0, 65535),
        None,
        Implemented,
        "port by which others know this worker",
    )
    .low(),
    key(
        Rest,
        "rest.advertised.listener",
        OneOf(&["http", "https"]),
        None,
        Implemented,
        "scheme of the address by which others know this worker; unset: http where that is served",
    )
    .low(),
    key(
        Rest,
        "rest.host.name",
        Text,
        None,
        Implemented,
        "removed in Kafka 3.0; holds where listeners is not given",
    )
    .low(),
    key(
        Rest,
        "rest.port",
        Number(0, 65535),
        None,
        Implemented,
        "removed in Kafka 3.0; holds where listeners is not given",
    )
    .low(),
    key(
        Rest,
        "admin.listeners",
        List,
        None,
        Implemented,
        "addresses of administrative requests; unset: those of the others; empty: they are not answered",
    )
    .low(),
    key(
        Rest,
        "admin.listeners.https.*",
        Text,
        None,
        Implemented,
        "TLS of those, in the same way",
    )
    .low(),
    key(
        Rest,
        "ssl.client.auth",
        OneOf(&["none", "requested", "required"]),
        Some("none"),
        Implemented,
        "certificates of those who connect: not asked for, believed where they are trusted, or required",
    )
    .low(),
    key(
        Rest,
        "access.control.allow.origin",
        Text,
        Some(""),
        Implemented,
        "origin of pages that may use the API",
    )
    .low(),
    key(
        Rest,
        "access.control.allow.methods",
        Text,
        Some(""),
        Implemented,
        "methods that they may use; empty: GET, POST, HEAD",
    )
    .low(),
    key(
        Rest,
        "response.http.headers.config",
        Text,
        Some(""),
        Implemented,
        "headers of answers: action header:value, the action one of set, add, setDate, addDate",
    )
    .low(),
    key(
        Rest,
        "tributary.rest.hide.secrets",
        Boolean,
        Some("false"),
        Implemented,
        "literal secrets of configurations read [hidden] in answers, and [hidden] keeps what is stored",
    )
    .low(),
    key(
        Rest,
        "tributary.rest.health.public",
        Boolean,
        Some("false"),
        Implemented,
        "GET /health is answered to everybody, also where tributary.rest.auth.file says who may ask: for probes, which have \
         no credentials; it tells nothing of links",
    )
    .low(),
    key(
        Rest,
        "tributary.ui.enable",
        Boolean,
        Some("true"),
        Implemented,
        "serve the control center below /ui/",
    )
    .low(),
    key(
        Rest,
        "tributary.ui.history.bytes",
        Number(65_536, 1_073_741_824),
        Some("8388608"),
        Implemented,
        "memory for what links and topics were like in the last hour and day; less of it makes steps longer",
    )
    .low(),
    key(
        Worker,
        "tributary.ui.*",
        Text,
        None,
        NotYet(NO_UI),
        "records in the control center",
    )
    .low(),
    key(
        Rest,
        "rest.extension.classes",
        List,
        Some(""),
        Implemented,
        "extensions of the HTTP listener; that for Basic authentication needs tributary.rest.auth.file",
    )
    .low(),
    key(
        Rest,
        "tributary.rest.auth.file",
        Text,
        None,
        Implemented,
        "properties file with who may use the API: admin.basic.NAME, viewer.basic.NAME (a password), admin.bearer.NAME, viewer.bearer.NAME (a token); values may be written as sha256:HEX",
    ),
];
