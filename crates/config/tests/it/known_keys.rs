//! Every key that the products have is known, with the treatment that the specification gives it.
//!
//! `tests/golden/keys.txt` has a line for each: where it may stand, its name, what becomes of it. `implement` allows
//! for what is not there yet, as long as that is said.

use std::collections::BTreeSet;

use config::key::Treatment;
use config::keys::Scope;

const KEYS: &str = include_str!("../golden/keys.txt");

fn scope(name: &str) -> Scope {
    match name {
        "replicator" => Scope::Replicator,
        "mirror" => Scope::Mirror,
        "own" => Scope::Own,
        "worker" => Scope::Worker,
        "file" => Scope::MirrorFile,
        "client" => Scope::Client,
        other => panic!("no scope {other}"),
    }
}

#[test]
fn every_key_of_the_products_is_known_with_the_right_treatment() {
    let mut wrong = Vec::new();
    for line in KEYS.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [place, key, expected] = words[..] else {
            panic!("three words in {line}");
        };
        let found = scope(place).find(key).map(|row| row.treatment);
        let actual = match found {
            None => "unknown",
            Some(Treatment::Implemented | Treatment::NotYet(_)) => "implement",
            Some(Treatment::Ignored) => "ignore",
            Some(Treatment::IgnoredWarn(_)) => "warn",
            Some(Treatment::Rejected(_)) => "reject",
            Some(Treatment::Mapped(_)) => "map",
        };
        if actual != expected {
            wrong.push(format!("{line}: {actual}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(KEYS.lines().count() > 500, "the list is complete");
}

#[test]
fn what_topics_settings_do_is_implemented_rather_than_announced() {
    for key in [
        "topic.config.sync",
        "topic.config.sync.interval.ms",
        "use.defaults.from",
        "tributary.topic.config.delete",
        "tributary.topic.replication.factor.strict",
        "tributary.topic.whitelist.strict",
        "config.properties.exclude",
        "sync.topic.acls.enabled",
        "sync.topic.acls.interval.seconds",
        "tributary.acl.mode",
        "tributary.acl.resources",
        "tributary.acl.principals",
        "tributary.acl.principals.exclude",
        "tributary.acl.delete",
    ] {
        let row = Scope::Replicator.find(key).expect(key);
        assert_eq!(row.treatment, Treatment::Implemented, "{key}");
    }
}

#[test]
fn older_names_lead_to_keys_that_exist() {
    let mut pairs = BTreeSet::new();
    for scope in Scope::ALL {
        for row in scope.families().iter().flat_map(config::keys::Family::rows) {
            if let Treatment::Mapped(newer) = row.treatment {
                assert!(scope.find(newer).is_some(), "{} to {newer}", row.name);
                assert!(scope.aliases(newer).any(|older| older == row.name));
                pairs.insert((row.name, newer));
            }
        }
    }
    assert_eq!(pairs.len(), 3, "{pairs:?}");
}
