//! The settings of the HTTP listener.

use crate::raw::RawEntry;
use crate::resolve::reader::Reader;
use crate::resolve::security::of_listeners;
use crate::rest::{AdminListeners, HeaderRule, HeaderValue, Listener, ListenerTls, RestConfig};

/// Connect's extension for Basic authentication.
pub(super) const BASIC_EXTENSION: &str =
    "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const PORT: u16 = 8083;

pub(super) fn rest(reader: &mut Reader<'_>) -> RestConfig {
    let auth_file = reader.text("tributary.rest.auth.file");
    if let Some(entry) = reader.entry("rest.extension.classes")
        && auth_file.is_none()
        && entry.value.contains(BASIC_EXTENSION)
    {
        let remedy = "set tributary.rest.auth.file to a properties file with a line like admin.basic.NAME=PASSWORD";
        let wrong = "requests are to be authenticated, and it is not said who may ask";
        reader.refuse(entry, wrong, Some(remedy.to_owned()));
    }
    let mut main = listeners(reader, "listeners");
    if main.is_empty() {
        main.extend(former(reader));
    }
    let admin = admin(reader);
    let own = match &admin {
        AdminListeners::Own(own) => own.as_slice(),
        AdminListeners::Shared | AdminListeners::Off => &[],
    };
    RestConfig {
        tls: tls(reader, &main, "listeners.https."),
        admin_tls: tls(reader, own, "admin.listeners.https."),
        advertised_https: advertised(reader, &main),
        listeners: main,
        admin,
        advertised_host: reader.text("rest.advertised.host.name").map(str::to_owned),
        advertised_port: reader.number("rest.advertised.port"),
        allow_origin: reader
            .text("access.control.allow.origin")
            .map(str::to_owned),
        allow_methods: methods(reader),
        headers: headers(reader),
        auth_file: auth_file.map(Into::into),
        hide_secrets: reader
            .boolean("tributary.rest.hide.secrets")
            .unwrap_or(false),
        health_public: reader
            .boolean("tributary.rest.health.public")
            .unwrap_or(false),
        history_bytes: reader.number("tributary.ui.history.bytes"),
        without_ui: !reader.boolean("tributary.ui.enable").unwrap_or(true),
    }
}

fn admin(reader: &mut Reader<'_>) -> AdminListeners {
    match reader.raw.get("admin.listeners") {
        None => AdminListeners::Shared,
        Some(entry) if entry.value.trim().is_empty() => AdminListeners::Off,
        Some(_) => AdminListeners::Own(listeners(reader, "admin.listeners")),
    }
}

/// Where Connect listened before there were `listeners`.
fn former(reader: &mut Reader<'_>) -> Option<Listener> {
    let host = reader.text("rest.host.name").map(str::to_owned);
    let port = reader.number("rest.port");
    (host.is_some() || port.is_some()).then(|| Listener {
        https: false,
        host,
        port: port.unwrap_or(PORT),
    })
}

fn tls(reader: &mut Reader<'_>, listeners: &[Listener], prefix: &str) -> Option<ListenerTls> {
    let secure = listeners.iter().any(|listener| listener.https);
    secure.then(|| of_listeners(reader, prefix)).flatten()
}

fn advertised(reader: &mut Reader<'_>, listeners: &[Listener]) -> Option<bool> {
    let entry = reader.entry("rest.advertised.listener")?;
    let https = entry.value.trim().eq_ignore_ascii_case("https");
    let served = |listener: &Listener| listener.https == https;
    // Without listeners there is one of http.
    if listeners.iter().any(served) || (listeners.is_empty() && !https) {
        return Some(https);
    }
    let wrong = "others would be told an address where nobody listens";
    refuse(
        reader,
        entry,
        wrong,
        "name a scheme that listeners has, or leave it out",
    );
    None
}

fn listeners(reader: &mut Reader<'_>, key: &str) -> Vec<Listener> {
    let Some(entry) = reader.entry(key) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for text in entry.value.split(',').map(str::trim) {
        match listener(text) {
            Some(found) => all.push(found),
            None => refuse(
                reader,
                entry,
                &format!("{text} is no address to listen at"),
                "write http://HOST:PORT or https://HOST:PORT; without a host it is every address of the machine",
            ),
        }
    }
    all
}

fn refuse(reader: &mut Reader<'_>, entry: &RawEntry, wrong: &str, remedy: &str) {
    reader.refuse(entry, wrong, Some(remedy.to_owned()));
}

/// `scheme://host:port`; the scheme in any case, the host in brackets where it is IPv6.
fn listener(text: &str) -> Option<Listener> {
    let (scheme, rest) = text.split_once("://")?;
    let https = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let rest = rest.trim_end_matches('/');
    let bracket = rest.rfind(']').unwrap_or(0);
    let (host, port) = match rest[bracket..].rfind(':') {
        Some(colon) => {
            let (host, port) = rest.split_at(bracket + colon);
            (host, port[1..].parse().ok()?)
        }
        None => (rest, PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.contains(['/', ' ', '@']) {
        return None;
    }
    Some(Listener {
        https,
        host: (!host.is_empty()).then(|| host.to_owned()),
        port,
    })
}

fn methods(reader: &mut Reader<'_>) -> Vec<String> {
    let Some(entry) = reader.entry("access.control.allow.methods") else {
        return Vec::new();
    };
    let methods = entry.value.split(',');
    let methods: Vec<String> = methods
        .map(|method| method.trim().to_ascii_uppercase())
        .collect();
    let unknown = methods
        .iter()
        .find(|method| !METHODS.contains(&method.as_str()));
    if let Some(unknown) = unknown {
        let remedy = format!("choose from {}", METHODS.join(", "));
        let wrong = format!("there is no method {unknown}");
        refuse(reader, entry, &wrong, &remedy);
    }
    methods
}

fn headers(reader: &mut Reader<'_>) -> Vec<HeaderRule> {
    let Some(entry) = reader.entry("response.http.headers.config") else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    for text in split_rules(entry.value.trim()) {
        match header_rule(&text) {
            Some(rule) => rules.push(rule),
            None => refuse(
                reader,
                entry,
                &format!("{text} is no rule for a header"),
                "write action header:value, with set, add, setDate or addDate, and a number of milliseconds for dates",
            ),
        }
    }
    rules
}

/// Rules have commas between them; one that has a comma itself stands in double quotes.
fn split_rules(text: &str) -> Vec<String> {
    let mut rules = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => rules.push(String::new()),
            other => rules.last_mut().expect("one at least").push(other),
        }
    }
    let rules = rules.into_iter().map(|rule| rule.trim().to_owned());
    rules.filter(|rule| !rule.is_empty()).collect()
}

fn header_rule(text: &str) -> Option<HeaderRule> {
    let (action, rest) = text.split_once(' ')?;
    let (name, value) = rest.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let printable = |byte: u8| (0x20..0x7f).contains(&byte);
    if name.is_empty() || !name.bytes().all(token) || !value.bytes().all(printable) {
        return None;
    }
    let (date, replace) = match action {
        "set" => (false, true),
        "add" => (false, false),
        "setDate" => (true, true),
        "addDate" => (true, false),
        _ => return None,
    };
    let value = if date {
        HeaderValue::Date(value.parse().ok()?)
    } else {
        HeaderValue::Text(value.to_owned())
    };
    Some(HeaderRule {
        name: name.to_owned(),
        value,
        replace,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_as_connect_reads_them() {
        let check = |text: &str, expected: Option<(bool, Option<&str>, u16)>| {
            let found = listener(text);
            let found = found.as_ref().map(|l| (l.https, l.host.as_deref(), l.port));
            assert_eq!(found, expected, "{text}");
        };
        check("http://:8083", Some((false, None, 8083)));
        check("HTTP://0.0.0.0:1", Some((false, Some("0.0.0.0"), 1)));
        check(
            "https://connect.example:8443/",
            Some((true, Some("connect.example"), 8443)),
        );
        check("http://[::1]:8083", Some((false, Some("::1"), 8083)));
        check("http://host", Some((false, Some("host"), 8083)));
        check("ftp://host:1", None);
        check("host:8083", None);
        check("http://host:port", None);
    }

    #[test]
    fn rules_for_headers_have_commas_between_them_and_quotes_around_commas() {
        let rules =
            split_rules(r#"add Cache-Control:no-cache, "set X-A: a, b", setDate Expires: 1000"#);
        let rules: Option<Vec<_>> = rules.iter().map(|rule| header_rule(rule)).collect();
        let rules = rules.expect("all are rules");
        assert_eq!(rules[1].value, HeaderValue::Text("a, b".into()));
        assert!(rules[1].replace && !rules[0].replace);
        assert_eq!(rules[2].value, HeaderValue::Date(1000));
        assert_eq!(header_rule("drop X: y"), None);
        assert_eq!(header_rule("set X y"), None);
        assert_eq!(header_rule("setDate X: soon"), None);
    }
}
