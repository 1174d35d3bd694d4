#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use super::*;
use crate::incident::tests::{after, incident, limits};

/// Guarantees: what was put is there after the folder is opened again, for this user's eyes alone.
#[test]
fn what_was_put_is_loaded() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("incidents");
    let (store, loaded) = Store::open(&at).unwrap();
    assert!(loaded.incidents.is_empty());
    let mut one = incident("service=a,attr.k=\"ü", 600, 60);
    store.put(&one).unwrap();
    crate::incident::extend(
        &mut one,
        std::time::Duration::from_secs(900),
        "me",
        None,
        after(1),
        &limits(),
    )
    .unwrap();
    store.put(&one).unwrap();
    let (_, loaded) = Store::open(&at).unwrap();
    assert_eq!(loaded.incidents.values().collect::<Vec<_>>(), [&one]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&at), mode(&store.path(&one.id))), (0o700, 0o600));
    store.remove(&one.id).unwrap();
    store.remove(&one.id).unwrap();
    assert!(Store::open(&at).unwrap().1.incidents.is_empty());
}

/// Guarantees: every changed bit of a file is noticed, or was in what means nothing.
#[test]
fn every_flipped_bit_is_noticed() {
    let one = incident("service=a", 600, 60);
    let bytes = encode(&one).unwrap();
    assert_eq!(decode(one.id.as_str(), &bytes).unwrap(), one);
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let read = decode(one.id.as_str(), &bad);
        assert!(
            read.as_ref().map_or(true, |read| *read == one),
            "bit {bit}: {read:?}"
        );
    }
    for length in 0..bytes.len() - 1 {
        assert!(
            decode(one.id.as_str(), &bytes[..length]).is_err(),
            "{length}"
        );
    }
    assert!(decode("inc-20261125T162430Z-ffffff", &bytes).is_err());
}

/// Guarantees: a file that is damaged, too large, or half written keeps no other from being read.
#[test]
fn a_damaged_file_is_told_and_the_rest_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let one = incident("all", 600, 60);
    store.put(&one).unwrap();
    let bad = "inc-20261125T162430Z-aaaaaa.json";
    fs::write(dir.path().join(bad), b"{\"version\":1").unwrap();
    fs::write(
        dir.path().join("inc-20261125T162430Z-bbbbbb.json"),
        vec![b' '; (MAX_FILE + 1) as usize],
    )
    .unwrap();
    fs::write(
        dir.path().join("inc-20261125T162430Z-cccccc.json.new"),
        b"half",
    )
    .unwrap();
    let (_, loaded) = Store::open(dir.path()).unwrap();
    assert_eq!(loaded.incidents.len(), 1);
    let names = loaded.damaged.iter().map(|damaged| damaged.file.as_str());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, [bad, "inc-20261125T162430Z-bbbbbb.json"]);
    assert_eq!(fs::read(dir.path().join(bad)).unwrap(), b"{\"version\":1");
}

/// Guarantees: the golden file of version 1 opens, today and in later versions.
#[test]
fn the_golden_file_opens() {
    let golden = include_bytes!("../tests/golden/inc-20261125T162430Z-010203.json");
    let read = decode("inc-20261125T162430Z-010203", golden).unwrap();
    assert_eq!(
        read.scope.to_string(),
        "service=scanner,tenant=acme,attr.region=eu\\,west"
    );
    assert_eq!(read.timeline.len(), 4);
    assert_eq!(read.kept.unwrap().before_spans, 7);
    assert_eq!(read.ended.unwrap().note.as_deref(), Some("mended"));
}

/// An incident of a trigger, whose capture is awaited.
fn awaits_its_capture() -> Incident {
    use crate::incident::{IncidentId, Origin, close};
    let mut one = incident("service=scanner,tenant=acme", 7200, 900);
    one.id = IncidentId::new(crate::incident::tests::now(), [10, 11, 12]);
    one.origin = Origin::Trigger("errors".to_owned());
    one.opened_by = "trigger:errors".to_owned();
    let day = std::time::Duration::from_secs(24 * 3600);
    close(&mut one, "loopback", None, after(60), day, &limits()).unwrap();
    one
}

/// Guarantees: so does that of an incident whose capture is awaited.
#[test]
fn the_golden_file_with_a_capture_opens() {
    let golden = include_bytes!("../tests/golden/inc-20261125T162430Z-0a0b0c.json");
    let read = decode("inc-20261125T162430Z-0a0b0c", golden).unwrap();
    assert_eq!(read, awaits_its_capture());
    assert!(read.awaits_capture());
}

/// Writes the golden file; run by hand when a version is new.
#[test]
#[ignore = "writes the golden file"]
fn write_the_golden_file_with_a_capture() {
    let one = awaits_its_capture();
    let path = format!("tests/golden/{}.json", one.id);
    fs::write(path, encode(&one).unwrap()).unwrap();
}

/// Writes the golden file; run by hand when a version is new.
#[test]
#[ignore = "writes the golden file"]
fn write_the_golden_file() {
    use crate::incident::{Count, Key, close, in_force, release};
    let mut one = incident(
        "service=scanner,tenant=acme,attr.region=eu\\,west",
        7200,
        900,
    );
    one.approved_by = Some("head of operations".to_owned());
    one.key = Key::new("page-4711", b"request");
    in_force(&mut one, after(1), after(1));
    one.kept = Some(Count {
        before_spans: 7,
        before_done: true,
        during_spans: 9,
    });
    close(
        &mut one,
        "token:oncall (me)",
        Some("mended"),
        after(60),
        std::time::Duration::ZERO,
        &limits(),
    )
    .unwrap();
    release(&mut one, None, after(60)).unwrap();
    one.told = 4;
    let path = format!("tests/golden/{}.json", one.id);
    fs::write(path, encode(&one).unwrap()).unwrap();
}
