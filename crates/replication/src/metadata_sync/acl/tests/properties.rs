//! What holds for any bindings.

use std::collections::BTreeSet;

use config::link::AclMode;
use kafka_wire::message::acl::{AclBinding, AclOperation, AclPattern, AclPermission, AclResource};
use kafka_wire::types::TopicName;
use proptest::prelude::*;

use super::Scene;
use crate::metadata_sync::acl::desired::{Desired, Rules};
use crate::metadata_sync::acl::plan::AclPlan;
use crate::metadata_sync::acl::record::{Origin, Recorded, decode, key, value};

prop_compose! {
    fn any_binding()(
        codes in any::<[i8; 2]>(),
        name in prop_oneof!["[a-z.]{0,4}", Just("*".to_owned()), ".{0,20}"],
        pattern in prop_oneof![Just(AclPattern::Literal), Just(AclPattern::Prefixed), any::<i8>().prop_map(AclPattern::from_wire)],
        principal in prop_oneof!["User:[ab*]", ".{0,20}", Just("User:writer".to_owned())],
        host in prop_oneof![Just("*".to_owned()), ".{0,10}"],
        permission in prop_oneof![Just(AclPermission::Allow), Just(AclPermission::Deny)],
        resource in prop_oneof![4 => Just(AclResource::Topic), 1 => any::<i8>().prop_map(AclResource::from_wire)],
    ) -> AclBinding {
        let operation = AclOperation::from_wire(codes[0].rem_euclid(16));
        AclBinding { resource, name: name.into(), pattern, principal, host, operation, permission }
    }
}

proptest! {
    #[test]
    fn any_record_reads_back(bindings in prop::collection::vec(any_binding(), 0..20), link in ".{0,10}") {
        let origin = |at: usize| Origin { source_topic: at.is_multiple_of(2).then(|| format!("t{at}").into()) };
        let made: Recorded = bindings.into_iter().enumerate().map(|(at, b)| (b, origin(at))).collect();
        let stored: Vec<_> = made.iter().map(|(b, o)| (key(&link, b), Some(value(o)))).collect();
        prop_assert_eq!(decode(&link, &stored), made);
    }

    /// Whatever the source has: no grant beyond reading, none on a topic that is not copied, none to ourselves.
    #[test]
    fn read_only_copies_never_grant_more_than_reading_of_what_is_copied(
        source in prop::collection::vec(any_binding(), 0..20),
        format in prop_oneof![Just("${topic}"), Just("x.${topic}"), Just("${topic}.x"), Just("one")],
    ) {
        let scene = Scene::new(AclMode::ReadOnly, format, &["a", "ab", "b.c"]);
        let rules = Rules {
            settings: &scene.settings, naming: &scene.naming, own: &scene.own, topics: &scene.topics,
        };
        let desired = Desired::new(&source, rules);
        let copies: BTreeSet<&str> = scene.topics.copies.values().map(TopicName::as_str).collect();
        for binding in desired.bindings.keys() {
            prop_assert_ne!(binding.principal.as_str(), "User:writer");
            prop_assert!(binding.resource == AclResource::Topic || binding.resource == AclResource::Group);
            if binding.permission != AclPermission::Allow || binding.resource != AclResource::Topic {
                continue;
            }
            use AclOperation::{Describe, DescribeConfigs, Read};
            prop_assert!([Read, Describe, DescribeConfigs].contains(&binding.operation), "{}", binding);
            match binding.pattern {
                AclPattern::Literal => prop_assert!(copies.contains(&*binding.name), "{}", binding),
                AclPattern::Prefixed => {
                    let prefixed = format.starts_with("x.") && binding.name.starts_with("x.");
                    prop_assert!(prefixed, "{}", binding);
                }
                AclPattern::Other(_) => prop_assert!(false, "{}", binding),
            }
        }
    }

    /// What a plan leads to needs no further plan, and what was there before is still there.
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do_and_nothing_of_others_is_touched(
        source in prop::collection::vec(any_binding(), 0..12),
        foreign in prop::collection::vec(any_binding(), 0..6),
        earlier in prop::collection::vec(any_binding(), 0..6),
    ) {
        let scene = Scene::new(AclMode::Exact, "${topic}", &["a", "ab"]);
        let rules = Rules {
            settings: &scene.settings, naming: &scene.naming, own: &scene.own, topics: &scene.topics,
        };
        let desired = Desired::new(&source, rules);
        let foreign: BTreeSet<_> = foreign.into_iter().chain(source.iter().take(1).cloned()).collect();
        let mut made: Recorded = earlier.into_iter().filter(|b| !foreign.contains(b)).map(|b| (b, Origin::default())).collect();
        let mut existing: BTreeSet<_> = foreign.iter().cloned().chain(made.keys().cloned()).collect();
        let none = BTreeSet::new();
        let plan = AclPlan::new(&desired, &existing, &made, &none, |_| false, true);
        for (binding, origin) in plan.create {
            prop_assert!(existing.insert(binding.clone()));
            made.insert(binding, origin);
        }
        for binding in plan.delete {
            prop_assert!(existing.remove(&binding) && !foreign.contains(&binding));
            made.remove(&binding);
        }
        prop_assert!(foreign.is_subset(&existing));
        let again = AclPlan::new(&desired, &existing, &made, &none, |_| false, true);
        prop_assert!(again.is_empty() && again.forget.is_empty(), "{}", again);
        let wanted: BTreeSet<_> = desired.bindings.keys().cloned().collect();
        let ours: BTreeSet<_> = made.into_keys().collect();
        prop_assert!(ours.is_subset(&wanted) && wanted.is_subset(&existing));
    }
}
