//! Lists of broker addresses as users write them.

use thiserror::Error;

use crate::client::HostPort;

/// Why a text is no broker address.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AddressProblem {
    /// The list has no entries.
    #[error("no broker is given; an example: broker1:9092,broker2:9092")]
    NoBrokers,
    /// An entry between commas is empty.
    #[error("there is an empty entry between the commas")]
    EmptyEntry,
    /// There is no colon, or nothing behind it.
    #[error("\"{0}\" has no port; an example: {0}:9092")]
    NoPort(String),
    /// What follows the colon is not 1..=65535.
    #[error("\"{0}\" has no usable port; ports are numbers from 1 to 65535")]
    BadPort(String),
    /// Nothing before the colon.
    #[error("\"{0}\" has no host; an example: broker1:9092")]
    NoHost(String),
    /// An address with colons that is not in brackets.
    #[error("\"{0}\" looks like an IPv6 address; put it into brackets: [::1]:9092")]
    NoBrackets(String),
    /// Characters that no host name has.
    #[error("\"{0}\" contains {1:?}, which no host name has")]
    BadCharacter(String, char),
    /// A listener name other than `PLAINTEXT` in front.
    #[error(
        "\"{0}\": how a connection is protected is said by security.protocol, not by the address"
    )]
    Scheme(String),
}

/// Reads `host:port,host:port`, IPv6 in brackets. `PLAINTEXT://` in front is tolerated, as brokers print it.
///
/// # Errors
/// The first entry that is none.
pub fn parse_addresses(text: &str) -> Result<Vec<HostPort>, AddressProblem> {
    if text.trim().is_empty() {
        return Err(AddressProblem::NoBrokers);
    }
    text.split(',')
        .map(|entry| parse_address(entry.trim()))
        .collect()
}

fn parse_address(text: &str) -> Result<HostPort, AddressProblem> {
    if text.is_empty() {
        return Err(AddressProblem::EmptyEntry);
    }
    let address = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("plaintext") => rest,
        Some(_) => return Err(AddressProblem::Scheme(text.to_owned())),
        None => text,
    };
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else {
            return Err(AddressProblem::NoBrackets(text.to_owned()));
        };
        (host, port.strip_prefix(':').unwrap_or(""))
    } else {
        match address.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(AddressProblem::NoBrackets(text.to_owned()));
            }
            Some(parts) => parts,
            None => (address, ""),
        }
    };
    if host.is_empty() {
        return Err(AddressProblem::NoHost(text.to_owned()));
    }
    if let Some(bad) = host.chars().find(|c| !is_host_character(*c)) {
        return Err(AddressProblem::BadCharacter(text.to_owned(), bad));
    }
    if port.is_empty() {
        return Err(AddressProblem::NoPort(
            text.trim_end_matches(':').to_owned(),
        ));
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(HostPort {
            host: host.to_owned(),
            port,
        }),
        _ => Err(AddressProblem::BadPort(text.to_owned())),
    }
}

/// As Kafka's clients take them: names, IPv4, IPv6 with a zone.
fn is_host_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._:%".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match parse_addresses(text) {
            Ok(addresses) => addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn addresses_are_read_and_shown_alike() {
        check("a:9092", "a:9092");
        check(" a:1 , b.example.com:65535 ", "a:1 b.example.com:65535");
        check("[::1]:9092,10.0.0.1:9093", "[::1]:9092 10.0.0.1:9093");
        check("[fe80::1%eth0]:9092", "[fe80::1%eth0]:9092");
        check("PLAINTEXT://a:9092", "a:9092");
    }

    #[test]
    fn what_is_no_address_is_told_with_an_example() {
        check(
            "",
            "no broker is given; an example: broker1:9092,broker2:9092",
        );
        check("a:9092,", "there is an empty entry between the commas");
        check("a", "\"a\" has no port; an example: a:9092");
        check("a:", "\"a\" has no port; an example: a:9092");
        check("[::1]", "\"[::1]\" has no port; an example: [::1]:9092");
        check(
            "a:0",
            "\"a:0\" has no usable port; ports are numbers from 1 to 65535",
        );
        check(
            "a:65536",
            "\"a:65536\" has no usable port; ports are numbers from 1 to 65535",
        );
        check(
            "a:+92",
            "\"a:+92\" has no usable port; ports are numbers from 1 to 65535",
        );
        check(":9092", "\":9092\" has no host; an example: broker1:9092");
        check(
            "::1:9092",
            "\"::1:9092\" looks like an IPv6 address; put it into brackets: [::1]:9092",
        );
        check(
            "a b:9092",
            "\"a b:9092\" contains ' ', which no host name has",
        );
        check(
            "SSL://a:9093",
            "\"SSL://a:9093\": how a connection is protected is said by security.protocol, not by the address",
        );
    }
}
