//! Firings against a register whose records outlive it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use policy::units::Time;
use trigger::ErrorRate;

use super::*;
use crate::Config;
use crate::incident::State;
use crate::incident::tests::{after, now};
use crate::register::tests::{Fake, plain, register};

fn trigger(name: &str) -> Trigger {
    Trigger {
        name: name.to_owned(),
        error_rate: Some(ErrorRate {
            share: 0.5,
            min_spans: 1,
        }),
        latency: None,
        log_pattern: None,
        window: Time(Duration::from_secs(60)),
        scope: "service={service},tenant={tenant}".to_owned(),
        reason: "{trigger} of {service}: {measured}".to_owned(),
        ttl: None,
        lookback: Some(Time(Duration::from_secs(300))),
        cool_down: Time(Duration::from_secs(600)),
        max_per_day: 3,
        max_open: 2,
        max_groups: 10,
    }
}

fn firing(service: &str, at: Timestamp) -> Firing {
    Firing {
        trigger: 0,
        tenant: "acme".parse().unwrap(),
        service: service.to_owned(),
        at_unix_nano: u64::try_from(at.as_nanosecond()).unwrap(),
        measured: "50 % failed".to_owned(),
    }
}

/// Guarantees (RESTARTABLE): cool-down and caps are those of the stored records, in each life of
/// the process; and the records outlive `keep_closed` for as long as they are needed.
#[test]
fn cool_downs_and_caps_are_read_off_the_records() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let config = Config {
        keep_closed: 0,
        max_open: 12,
        ..plain()
    };
    let fire = |service: &str, seconds: i64| {
        let at = after(seconds);
        // A new process each time.
        let register = register(dir.path(), &fake, config.clone(), at);
        let outcome = register.fire(&trigger("errors"), &firing(service, at), at);
        outcome.as_str()
    };
    let close_all = |seconds: i64| {
        let register = register(dir.path(), &fake, config.clone(), after(seconds));
        for known in register.list(Some(State::Open), 99) {
            register
                .close(&known.id, "me", None, after(seconds))
                .unwrap();
        }
        register.tick(after(seconds));
    };
    assert_eq!(fire("a", 0), "opened");
    assert_eq!(fire("a", 1), "already_open");
    close_all(10);
    assert_eq!(fire("a", 609), "cooling_down");
    assert_eq!(fire("b", 610), "opened");
    assert_eq!(fire("a", 611), "opened");
    assert_eq!(fire("c", 612), "capped");
    close_all(613);
    assert_eq!(fire("c", 24 * 3600 - 1), "capped");
    assert_eq!(fire("c", 24 * 3600), "opened");
    // Another trigger has caps of its own, and one that is all about it keeps it from opening.
    let at = after(24 * 3600 + 1);
    let register = register(dir.path(), &fake, config.clone(), at);
    let other = |service: &str| register.fire(&trigger("other"), &firing(service, at), at);
    assert!(matches!(other("c"), Outcome::HeldBack(HeldBack::Covered)));
    assert!(matches!(other("d"), Outcome::Opened(_)));
    assert!(matches!(other("e"), Outcome::Opened(_)));
    assert!(matches!(
        other("f"),
        Outcome::HeldBack(HeldBack::TooManyOpen)
    ));
    let mut open = register.list(Some(State::Open), 9).into_iter();
    let known = open.find(|known| known.scope.to_string() == "service=e,tenant=acme");
    let known = known.unwrap();
    assert_eq!(
        (known.reason.as_str(), known.opened_by.as_str()),
        ("other of e: 50 % failed", "trigger:other")
    );
}

/// Guarantees: what is older than the lookback opens nothing, what a request would be refused does
/// neither, and names cannot widen a scope.
#[test]
fn what_opens_nothing() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let config = Config {
        max_open: 1,
        ..plain()
    };
    let register = register(dir.path(), &fake, config, now());
    let fire = |service: &str, ago: i64| {
        register.fire(&trigger("errors"), &firing(service, after(-ago)), now())
    };
    assert!(matches!(fire("a", 301), Outcome::Stale));
    let Outcome::Opened(id) = fire("a,tenant=other\\", 300) else {
        panic!("it is not too old");
    };
    let scope = register.get(&id).unwrap().scope;
    assert_eq!(scope.service.as_deref(), Some("a,tenant=other\\"));
    assert_eq!(scope.tenant.unwrap().as_str(), "acme");
    assert_eq!(fire("b", 0).as_str(), "refused");
}
