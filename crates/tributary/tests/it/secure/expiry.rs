//! Until when certificates and tokens are good, as `/metrics` tells it of connections that are made with them, and alerts about it.
//! Where `TRIBUTARY_TEST_MINUTES` asks for the long form, a token ends.

use test_support::eventually::eventually;
use test_support::limits;

use super::*;
use crate::connect_http::Client;
use crate::connect_worker::free_port;
use crate::metrics::{Scrape, is_approved, scraped};
use crate::prometheus::Prometheus;

/// How long the first certificate of the client is good.
const DAYS: Duration = Duration::from_secs(3 * 24 * 3600);
/// For how many seconds the first token is good, where one is to end.
const SHORT: u64 = 45;

/// Seconds since 1970.
fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}

/// When something ends, as it is told.
fn ends(scrape: &Scrape, name: &str, labels: &[&str]) -> Option<f64> {
    scrape.sum(
        &format!("tributary_cluster_{name}_not_after_timestamp_seconds"),
        labels,
    )
}

/// Gives the client another token.
fn token(material: &SecureMaterial, seconds: u64) {
    let token = material.issuer.token(seconds);
    certificates::write(&material.path("token"), &token).expect("written");
}

/// Alerts, until there are a certificate and a token that are good for longer.
async fn is_warned_of(material: &SecureMaterial, address: &str) {
    let prometheus = Prometheus::scraping(&[address]).await;
    let expiring = ["TributaryCertExpiring"];
    prometheus.told(&expiring, true).await;
    assert!(!prometheus.fires("TributaryTokenExpired").await);
    let client = material.authority.issue("client", &["client.example"]);
    let client = client.expect("a certificate").pem();
    certificates::write(&material.path("client.pem"), &client).expect("written");
    prometheus.told(&expiring, false).await;
    if limits::long_run().is_some() {
        let expired = ["TributaryTokenExpired"];
        prometheus.told(&expired, true).await;
        token(material, 3600);
        prometheus.told(&expired, false).await;
    }
}

#[tokio::test]
async fn when_certificates_and_tokens_end_is_told() {
    let pair = pair(NEW, NEW).await;
    let (from, to) = (mutual(&pair.material), bearer(&pair.material));
    let material = &pair.material;
    let client = material
        .authority
        .issue_for("client", &["client.example"], DAYS);
    let client = client.expect("a certificate").pem();
    certificates::write(&material.path("client.pem"), &client).expect("written");
    if limits::long_run().is_some() {
        token(material, SHORT);
    }
    let topic = unique("expiry");
    load(&pair.source, &topic, 5).await;
    let address = format!("127.0.0.1:{}", free_port());
    let process = replicate(&pair, &from, &to, &topic)
        .with(&["--listen", &address])
        .start();
    let copy = stored(&pair.destination, &topic);
    crate::support::wait_for_offsets(&copy, i64::try_from(RECORDS).expect("few")).await;
    let client = Client::new(&*address);
    let look = async || {
        let scrape = scraped(&client).await;
        let token = ends(&scrape, "token", &["side=\"destination\""]);
        match token {
            Some(_) => Ok(scrape),
            None => Err("no token"),
        }
    };
    let scrape = eventually("the token's end", COPIED, look).await;
    let scrape = scrape.unwrap_or_else(|error| panic!("{error}\n{}", process.text(Stream::Error)));
    is_approved(&scrape);
    let now = now();
    for (name, labels) in [
        (
            "certificate",
            &["side=\"source\"", "subject=\"broker\""][..],
        ),
        ("certificate", &["side=\"source\"", "subject=\"client\""]),
        ("token", &["side=\"destination\""]),
    ] {
        let ends = ends(&scrape, name, labels);
        assert!(ends > Some(now), "{name} {labels:?}: {ends:?}");
        println!("  {name} {labels:?}: in {:.0} s", ends.expect("told") - now);
    }
    let none = ends(&scrape, "token", &["side=\"source\""]);
    assert_eq!(none, None, "certificates are no tokens");
    is_warned_of(material, &address).await;
    process.terminate().expect("it runs");
    Run::to_end(&process).await.ended_with(0);
}
