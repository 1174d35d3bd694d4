//! The transitions, with time given.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

pub(crate) fn now() -> Timestamp {
    "2026-11-25T16:24:30Z".parse().unwrap()
}

pub(crate) fn after(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

pub(crate) fn asked(scope: &str, ttl: u64, lookback: u64) -> Open {
    Open {
        scope: scope.parse().unwrap(),
        reason: "checkout is slow".to_owned(),
        by: "loopback".to_owned(),
        approved_by: None,
        origin: Origin::Request,
        ttl: Duration::from_secs(ttl),
        lookback: Duration::from_secs(lookback),
        key: None,
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        open: 2,
        ttl: Duration::from_secs(24 * 3600),
        lookback: Duration::from_secs(3600),
        timeline: 8,
        text_bytes: 100,
    }
}

pub(crate) fn incident(scope: &str, ttl: u64, lookback: u64) -> Incident {
    let id = IncidentId::new(now(), [1, 2, 3]);
    open(asked(scope, ttl, lookback), id, now(), 0, &limits()).unwrap()
}

/// Guarantees: the life of an incident, and that what is over never opens, extends or ends again.
#[test]
fn an_incident_opens_extends_and_ends_once() {
    let (limits, hour) = (limits(), Duration::from_secs(3600));
    let mut one = incident("service=a", 600, 60);
    assert_eq!(one.id.as_str(), "inc-20261125T162430Z-010203");
    assert_eq!(one.expires_at, after(600));
    assert_eq!(one.hold.from, after(-60));
    assert!(!expire(&mut one, after(599), hour));
    extend(
        &mut one,
        Duration::from_secs(600),
        "me",
        None,
        after(60),
        &limits,
    )
    .unwrap();
    assert_eq!(one.expires_at, after(660));
    let shorter = extend(
        &mut one,
        Duration::from_secs(10),
        "me",
        None,
        after(61),
        &limits,
    );
    assert!(matches!(shorter, Err(Refusal::Shorter { .. })));
    assert!(matches!(
        release(&mut one, Some("me"), after(61)),
        Err(Refusal::StillOpen { .. })
    ));
    assert!(!expire(&mut one, after(659), hour));
    assert!(expire(&mut one, after(660), hour));
    assert_eq!(one.ended.as_ref().unwrap().why, Why::Expired);
    assert_eq!(one.hold.to, Some(after(660)));
    let over = one.clone();
    assert!(!expire(&mut one, after(661), hour));
    assert!(!close(&mut one, "me", None, after(661), hour, &limits).unwrap());
    assert!(matches!(
        extend(&mut one, hour, "me", None, after(661), &limits),
        Err(Refusal::Closed { .. })
    ));
    assert_eq!(one, over);
    // Its hold ends by itself an hour later, or when somebody says so.
    assert!(!release(&mut one, None, after(660 + 3599)).unwrap());
    assert!(release(&mut one.clone(), None, after(660 + 3600)).unwrap());
    assert!(release(&mut one, Some("me"), after(700)).unwrap());
    assert!(!release(&mut one, Some("me"), after(701)).unwrap());
    let what: Vec<What> = one.timeline.iter().map(|entry| entry.what).collect();
    assert_eq!(
        what,
        [What::Opened, What::Extended, What::Expired, What::Released]
    );
}

/// Guarantees: each limit refuses just what is beyond it.
#[test]
fn limits_hold() {
    let limits = limits();
    let id = || IncidentId::new(now(), [0; 3]);
    let try_open = |change: &dyn Fn(&mut Open), others| {
        let mut asked = asked("all", 600, 0);
        change(&mut asked);
        open(asked, id(), now(), others, &limits).map(|_| ())
    };
    assert_eq!(try_open(&|_| (), 1), Ok(()));
    assert_eq!(try_open(&|_| (), 2), Err(Refusal::TooMany { open: 2 }));
    let code = |change: &dyn Fn(&mut Open)| try_open(change, 0).unwrap_err().code();
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(try_open(&|asked| asked.ttl = day, 0), Ok(()));
    assert_eq!(
        code(&|asked| asked.ttl = day + Duration::from_nanos(1)),
        "bad-ttl"
    );
    assert_eq!(code(&|asked| asked.ttl = Duration::ZERO), "bad-ttl");
    assert_eq!(code(&|asked| asked.ttl = Duration::MAX), "bad-ttl");
    assert_eq!(
        code(&|asked| asked.lookback = Duration::from_secs(3601)),
        "bad-lookback"
    );
    for bad in ["", "two\nlines", &"x".repeat(101), "\u{1b}[2J"] {
        assert_eq!(
            code(&|asked| asked.reason = bad.to_owned()),
            "bad-text",
            "{bad:?}"
        );
        assert_eq!(
            code(&|asked| asked.approved_by = Some(bad.to_owned())),
            "bad-text"
        );
    }
    let mut full = incident("all", 600, 0);
    let hour = Duration::from_secs(3600);
    let extended =
        (0..100).take_while(|_| extend(&mut full, hour, "me", None, now(), &limits).is_ok());
    let extended = extended.count();
    assert!((1..limits.timeline).contains(&extended), "{extended}");
    assert!(in_force(&mut full, now(), now()));
    assert!(close(&mut full, "me", None, now(), hour, &limits).unwrap());
    assert!(release(&mut full, None, after(3600)).unwrap());
    assert_eq!(full.timeline.len(), limits.timeline);
}

/// Guarantees: a clock that was set back makes no incident that ends before it begins.
#[test]
fn a_clock_that_is_set_back() {
    let mut one = incident("all", 600, 0);
    assert!(
        close(
            &mut one,
            "me",
            None,
            after(-5000),
            Duration::ZERO,
            &limits()
        )
        .unwrap()
    );
    assert_eq!(one.ended.as_ref().unwrap().at, now());
    assert_eq!(one.hold.to, Some(now()));
}

#[test]
fn scopes_that_are_none() {
    for (bad, why) in [
        ("", ParseScopeError::Empty),
        ("service", ParseScopeError::NotAPair(1)),
        ("service=a,tenant", ParseScopeError::NotAPair(2)),
        ("service=", ParseScopeError::BadWord(1)),
        ("servce=a", ParseScopeError::UnknownKey(1)),
        ("service=a,service=b", ParseScopeError::Twice(2)),
        ("attr.x=1,attr.x=2", ParseScopeError::Twice(2)),
        ("attr.=1", ParseScopeError::BadWord(1)),
        ("service=a\nb", ParseScopeError::BadWord(1)),
    ] {
        assert_eq!(bad.parse::<Scope>(), Err(why), "{bad}");
    }
    assert!(matches!(
        "tenant=a/b".parse::<Scope>(),
        Err(ParseScopeError::Tenant { at: 1, .. })
    ));
    let nine: Vec<String> = (0..9).map(|n| format!("attr.k{n}=v")).collect();
    assert_eq!(
        nine.join(",").parse::<Scope>(),
        Err(ParseScopeError::TooMany(9))
    );
    let scope: Scope = " attr.b=2, tenant=acme ,attr.a=x=y,service=scanner"
        .parse()
        .unwrap();
    assert_eq!(
        scope.to_string(),
        "service=scanner,tenant=acme,attr.a=x\\=y,attr.b=2"
    );
}

#[test]
fn ids_that_are_none() {
    let good = "inc-20261125T162430Z-010203";
    assert_eq!(good.parse::<IncidentId>().unwrap().as_str(), good);
    for bad in [
        "",
        "inc-",
        "../../etc/passwd",
        "inc-20261125T162430Z-01020G",
        "INC-20261125T162430Z-010203",
        "inc-20261125T162430Z-0102030",
    ] {
        assert!(bad.parse::<IncidentId>().is_err(), "{bad}");
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z,=\\\\ äß.]{1,12}".prop_filter("no space at the ends", |word| word.trim() == word)
}

proptest! {
    /// Guarantees: whatever stands in a scope's values, it is read again as it was printed.
    #[test]
    fn a_scope_is_read_as_it_is_printed(
        service in proptest::option::of(word()),
        tenant in proptest::option::of("[a-z]{1,9}"),
        attributes in proptest::collection::btree_map(word(), word(), 0..=MAX_ATTRIBUTES),
    ) {
        let scope = Scope {
            service,
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            attributes: attributes.into_iter().collect(),
        };
        prop_assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope));
    }

    /// Guarantees: no text makes the parser panic, and what it takes it prints and takes again.
    #[test]
    fn any_text_is_a_scope_or_an_error(text in "\\PC{0,60}") {
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope));
        }
    }
}

/// Guarantees: a capture is awaited after the end, where there is time for one; it is taken once,
/// given up, or missed, and each ends the hold.
#[test]
fn a_capture_is_taken_once() {
    let (limits, hour) = (limits(), Duration::from_secs(3600));
    let digest = format!("sha256:{}", "5c".repeat(32));
    let mut one = incident("service=a", 600, 60);
    let take = |one: &mut Incident, digest: &str| captured(one, digest, "me", after(700), &limits);
    assert!(matches!(
        take(&mut one, &digest),
        Err(Refusal::StillOpen { .. })
    ));
    let mut none = one.clone();
    close(&mut none, "me", None, after(60), Duration::ZERO, &limits).unwrap();
    assert!(none.capture.is_none() && release(&mut none.clone(), None, after(60)).unwrap());
    assert!(matches!(
        take(&mut none, &digest),
        Err(Refusal::NoCapture { state: None, .. })
    ));
    close(&mut one, "me", None, after(60), hour, &limits).unwrap();
    let pending = one.clone();
    let state = |one: &Incident| one.capture.as_ref().map(|capture| capture.state);
    assert_eq!(state(&one), Some(CaptureState::Pending));
    assert_eq!(one.capture.as_ref().unwrap().deadline, after(3660));
    for bad in ["", "5c5c", &digest[..70], &digest.to_uppercase()] {
        assert!(matches!(take(&mut one, bad), Err(Refusal::Manifest)));
    }
    assert!(take(&mut one, &digest).unwrap());
    assert!(one.hold.released && state(&one) == Some(CaptureState::Taken));
    assert!(!take(&mut one, &digest).unwrap());
    let other = format!("sha256:{}", "6d".repeat(32));
    assert!(matches!(
        take(&mut one, &other),
        Err(Refusal::NoCapture {
            state: Some(CaptureState::Taken),
            ..
        })
    ));
    assert!(!release(&mut one, Some("me"), after(800)).unwrap());
    let mut missed = pending.clone();
    assert!(!release(&mut missed, None, after(3659)).unwrap());
    assert!(release(&mut missed, None, after(3660)).unwrap());
    assert_eq!(state(&missed), Some(CaptureState::Missed));
    let last: Vec<What> = missed
        .timeline
        .iter()
        .rev()
        .take(2)
        .map(|entry| entry.what)
        .collect();
    assert_eq!(last, [What::Released, What::CaptureMissed]);
    let mut given_up = pending;
    assert!(release(&mut given_up, Some("me"), after(100)).unwrap());
    assert_eq!(state(&given_up), Some(CaptureState::GivenUp));
}

/// Guarantees: an id tells when its incident was opened; a scope covers what has all that it says.
#[test]
fn ids_and_scopes_tell() {
    assert_eq!(incident("all", 1, 0).id.opened_at(), Some(now()));
    assert_eq!(
        "inc-20261399T000000Z-010203"
            .parse::<IncidentId>()
            .unwrap()
            .opened_at(),
        None
    );
    let covers = |wide: &str, narrow: &str| {
        wide.parse::<Scope>()
            .unwrap()
            .covers(&narrow.parse().unwrap())
    };
    assert!(covers("all", "service=a") && covers("service=a", "service=a,tenant=t"));
    assert!(covers("attr.x=1", "attr.x=1,attr.y=2,service=a") && covers("tenant=t", "tenant=t"));
    assert!(!covers("service=a", "all") && !covers("service=a", "service=b"));
    assert!(!covers("service=a,tenant=t", "service=a") && !covers("attr.x=1", "attr.x=2"));
}
