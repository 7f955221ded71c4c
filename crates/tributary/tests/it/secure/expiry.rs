//! Until when certificates and tokens are good, as `/metrics` tells it of connections that are made with them.

use test_support::eventually::eventually;

use super::*;
use crate::connect_http::Client;
use crate::connect_worker::free_port;
use crate::metrics::{Scrape, is_approved, scraped};

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

#[tokio::test]
async fn when_certificates_and_tokens_end_is_told() {
    let pair = pair(NEW, NEW).await;
    let (from, to) = (mutual(&pair.material), bearer(&pair.material));
    let topic = unique("expiry");
    load(&pair.source, &topic, 5).await;
    let address = format!("127.0.0.1:{}", free_port());
    let process = replicate(&pair, &from, &to, &topic)
        .with(&["--listen", &address])
        .start();
    let copy = stored(&pair.destination, &topic);
    crate::support::wait_for_offsets(&copy, i64::try_from(RECORDS).expect("few")).await;
    let client = Client::new(address);
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
    process.terminate().expect("it runs");
    Run::to_end(&process).await.ended_with(0);
}
