//! The series of what talking to both clusters of a link takes: requests, connections, and until when credentials are good.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use kafka_client::meter::Expiry;
use kafka_wire::message::ApiKey;
use metrics::{Page, catalogue};

use super::Part;
use super::counted::LinkCounts;
use super::links::Link;

/// Adds them.
pub(super) fn add_to(page: &mut Page, link: &Link, parts: &[Part], counts: &LinkCounts) {
    let sides = [("source", &link.source), ("destination", &link.destination)];
    for (at, (side, cluster)) in sides.into_iter().enumerate() {
        for (api, one) in &counts.clients[at].0 {
            let api = word(*api);
            let labels = [&*link.name, cluster, side, &api];
            page.add_histogram(&catalogue::CLIENT_DURATION, &labels, &one.answers);
            let throttled = one.throttled.as_secs_f64();
            page.add(&catalogue::CLIENT_THROTTLE, &labels, throttled);
            let labels = [&*link.name, &link.source, &link.destination, side, &api];
            page.add(&catalogue::RETRIES, &labels, one.unanswered);
        }
        let mut connections: BTreeMap<String, usize> = BTreeMap::new();
        for (broker, open) in parts.iter().flat_map(|part| &part.clients[at].connections) {
            *connections.entry(broker.to_string()).or_default() += open;
        }
        for (broker, open) in connections {
            let labels = [&*link.name, cluster, side, &broker];
            page.add(&catalogue::CLIENT_CONNECTIONS, &labels, open);
        }
        let all = parts.iter().map(|part| part.clients[at].expiry);
        let expiry = all.fold(Expiry::default(), sooner);
        for (subject, ends) in [("broker", expiry.brokers), ("client", expiry.own)] {
            if let Some(ends) = ends {
                let labels = [&*link.name, cluster, side, subject];
                page.add(&catalogue::CERTIFICATE, &labels, seconds(ends));
            }
        }
        if let Some(ends) = expiry.token {
            page.add(
                &catalogue::TOKEN,
                &[&*link.name, cluster, side],
                seconds(ends),
            );
        }
    }
}

fn sooner(one: Expiry, other: Expiry) -> Expiry {
    let first = |one: Option<SystemTime>, other| one.into_iter().chain(other).min();
    Expiry {
        brokers: first(one.brokers, other.brokers),
        own: first(one.own, other.own),
        token: first(one.token, other.token),
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64()
}

/// The name of a kind of request as labels have it: `ListOffsets` is `list-offsets`.
fn word(api: ApiKey) -> String {
    let mut word = String::new();
    for c in api.to_string().chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn kinds_of_requests_are_words_in_lower_case() {
        assert_eq!(word(ApiKey::FETCH), "fetch");
        assert_eq!(word(ApiKey::LIST_OFFSETS), "list-offsets");
    }

    #[test]
    fn what_ends_first_counts() {
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        let one = Expiry {
            brokers: at(9),
            own: None,
            token: at(5),
        };
        let other = Expiry {
            brokers: at(8),
            own: at(7),
            token: None,
        };
        let both = sooner(one, other);
        assert_eq!((both.brokers, both.own, both.token), (at(8), at(7), at(5)));
        assert_eq!(seconds(both.brokers.expect("one")), 8.0);
    }
}
