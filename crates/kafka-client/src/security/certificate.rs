//! A certificate in a line, for people who look at a connection; and when it ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::date::date;

/// Names that are shown, at most.
const NAMES: usize = 8;

/// When it ends, where that can be read.
pub(crate) fn ends_at(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Subject, names and dates. What cannot be read is said, as it has been verified by somebody who could.
pub(crate) fn described(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else {
        return "a certificate that cannot be shown".to_owned();
    };
    let names = match certificate.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().map(name).collect(),
        _ => Vec::new(),
    };
    let more = names.len().saturating_sub(NAMES);
    let mut shown = names.into_iter().take(NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown += &format!(" and {more} more");
    }
    if shown.is_empty() {
        shown = "no names".to_owned();
    }
    let validity = certificate.validity();
    let day = |seconds: i64| date(u64::try_from(seconds).unwrap_or(0));
    let line = format!(
        "subject {}, for {shown}, valid from {} to {}",
        certificate.subject(),
        day(validity.not_before.timestamp()),
        day(validity.not_after.timestamp())
    );
    line.chars().filter(|c| !c.is_control()).collect()
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
            ref bytes => match <[u8; 16]>::try_from(bytes) {
                Ok(bytes) => std::net::Ipv6Addr::from(bytes).to_string(),
                Err(_) => "an address".to_owned(),
            },
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject as _;
    use test_support::certificates::Authority;

    use super::*;

    #[test]
    fn a_certificate_is_shown_with_subject_names_and_dates() {
        let authority = Authority::new("an authority").expect("an authority");
        let names = ["broker.example", "127.0.0.1", "::1"];
        let issued = authority.issue("broker", &names).expect("a certificate");
        let pem = issued.certificate.as_bytes();
        let shown = described(&CertificateDer::from_pem_slice(pem).expect("a certificate"));
        assert!(
            shown.starts_with("subject CN=broker, for broker.example, 127.0.0.1, ::1, valid from "),
            "{shown}"
        );
        let certificate = CertificateDer::from_pem_slice(pem).expect("a certificate");
        assert!(ends_at(&certificate) > Some(SystemTime::now()));
        assert_eq!(
            ends_at(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])),
            None
        );
        let nothing = described(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]));
        assert_eq!(nothing, "a certificate that cannot be shown");
    }
}
