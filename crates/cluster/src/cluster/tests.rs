#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use ident::{Signal, TenantId};
use journal::{Filter, Position, Record, Start};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::*;
use crate::history::MAX_EPOCHS;
use crate::member::TraceId;
use crate::told::Former;

fn members(names: &[&str]) -> Members {
    let member = |name: &&str| Member {
        name: name.parse().unwrap(),
        endpoint: format!("http://127.0.0.1:{}", name.len()).parse().unwrap(),
    };
    Members::new(names.iter().map(member).collect()).unwrap()
}

fn options(me: &str, names: Option<&[&str]>) -> Options {
    Options {
        me: me.parse().unwrap(),
        members: names.map(members),
        handover: Duration::from_secs(3600),
        look_back: Duration::from_secs(3600),
        max_staying: 1000,
    }
}

fn id(n: u64) -> TraceId {
    let mut id = TraceId::default();
    id[..8].copy_from_slice(&(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id
}

async fn append(journal: &Journal, traces: impl Iterator<Item = u64>) {
    let span = |n: u64| Span {
        trace_id: id(n).to_vec(),
        ..Span::default()
    };
    let spans: Vec<Span> = traces.map(span).collect();
    let items = spans.len() as u64;
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    let record = Record {
        tenant: TenantId::default_tenant(),
        signal: Signal::Traces,
        items,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        payload: ExportTraceServiceRequest { resource_spans }
            .encode_to_vec()
            .into(),
    };
    journal.append(record).await.unwrap();
}

fn blocks(journal: &Journal) -> Vec<Block> {
    let mut reader = journal.reader(Start::Oldest, Filter::default());
    std::iter::from_fn(move || reader.try_next().unwrap()).collect()
}

fn everything(cluster: &Cluster, journal: &Journal) -> Vec<(Option<Own>, Vec<Option<u64>>)> {
    let to = ["a", "b", "c", "d"].map(|name| name.parse::<MemberName>().unwrap());
    let of = |block: &Block| {
        let others = to
            .iter()
            .map(|to| cluster.others(block, to, &mut Vec::new()));
        (cluster.own(block), others.collect())
    };
    blocks(journal).iter().map(of).collect()
}

/// Guarantees: RESTARTABLE; what was said of a block is said again after a restart, also where a
/// crash came between a change and its look back; and the traces that stay are those that this
/// gateway had and no longer owns.
#[tokio::test]
async fn a_change_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let meter = Meter::new();
    let (journal, _) = Journal::open(&at("j"), journal::Options::default(), &meter).unwrap();
    append(&journal, 100..150).await;
    let alone = Cluster::open(options("a", Some(&["a"])), &journal, &at("c"), &meter).unwrap();
    // Before there was a cluster, everything was its own.
    append(&journal, 0..100).await;
    assert_eq!(alone.own(&blocks(&journal)[0]), Some(Own::All));
    assert_eq!(alone.own(&blocks(&journal)[1]), Some(Own::All));
    assert!(!alone.change(members(&["a"])).unwrap());
    let three = members(&["a", "b", "c"]);
    assert!(alone.change(three.clone()).unwrap());
    append(&journal, 0..200).await;

    let history = alone.history();
    let [_, change] = &history.epochs[..] else {
        unreachable!("one change")
    };
    let stay = change.stay.clone().unwrap();
    // Those of the first block came before there was a cluster, and are its own all the same.
    for n in 0..200 {
        let moved = three.owner(&id(n)).unwrap().as_str() != "a";
        assert_eq!(stay.contains(&id(n)), n < 150 && moved, "{n}");
    }
    let Some(Own::Part { items, .. }) = alone.own(&blocks(&journal)[2]) else {
        unreachable!("some go to others")
    };
    for n in 0..200_u32 {
        let owns = three.owner(&id(u64::from(n))).unwrap().as_str() == "a";
        assert_eq!(items.stays(n), n < 150 || owns);
    }
    let before = everything(&alone, &journal);
    drop(alone);
    for left in ["all", "no look back", "a damaged look back"] {
        let path = at("c").join("stay-1");
        match left {
            "no look back" => std::fs::remove_file(path).unwrap(),
            "a damaged look back" => std::fs::write(path, "stst").unwrap(),
            _ => {}
        }
        let meter = Meter::new();
        let again = Cluster::open(options("a", None), &journal, &at("c"), &meter).unwrap();
        assert_eq!(everything(&again, &journal), before, "{left}");
    }
    journal.close().await.unwrap();
}

/// Guarantees: a gateway that joins says nothing of any block before it has heard from the others;
/// and then it asks former owners first.
#[tokio::test]
async fn nothing_is_decided_before_a_gateway_has_joined() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let meter = Meter::new();
    let (journal, _) = Journal::open(&at("j"), journal::Options::default(), &meter).unwrap();
    let names = &["a", "b", "c"][..];
    let joining = Cluster::open(options("c", Some(names)), &journal, &at("c"), &meter).unwrap();
    append(&journal, 0..100).await;
    let block = &blocks(&journal)[0];
    assert_eq!(joining.own(block), None);
    assert_eq!(
        joining.others(block, &"a".parse().unwrap(), &mut Vec::new()),
        None
    );
    assert_eq!(told::parse(&joining.told()).unwrap().len(), 0);
    // The list may change meanwhile; that is no change yet.
    assert!(joining.change(members(&["a", "b", "c", "d"])).unwrap());
    assert_eq!(joining.history().epochs.len(), 1);
    let former = Former {
        members: members(&["a", "b"]),
        age_nanos: 5,
    };
    let mut heard = joining.changes();
    heard.borrow_and_update();
    joining.joined(vec![former]).unwrap();
    assert!(heard.has_changed().unwrap());
    // All of it was a's or b's before.
    let Some(Own::Part { items, .. }) = joining.own(block) else {
        unreachable!("it owns some by now")
    };
    assert_eq!(items.kept(), 0);
    let told = told::parse(&joining.told()).unwrap();
    let counts: Vec<usize> = told.iter().map(|former| former.members.count()).collect();
    assert_eq!(counts, [2, 4], "what it tells the next one");
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_folder_belongs_to_one_member() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (journal, _) = Journal::open(&at("j"), journal::Options::default(), &Meter::new()).unwrap();
    let open = |me: &str, names: Option<&[&str]>| {
        let opened = Cluster::open(options(me, names), &journal, &at("c"), &Meter::new());
        opened.map(drop).map_err(|error| error.to_string())
    };
    let wrong = open("x", Some(&["a", "b"])).unwrap_err();
    assert!(
        wrong.contains("`x` is not among the members: a, b\nhint: "),
        "{wrong}"
    );
    open("a", Some(&["a", "b"])).unwrap();
    // It has left the list; it still has to hand over what it has.
    open("a", Some(&["b"])).unwrap();
    let wrong = open("b", Some(&["a", "b"])).unwrap_err();
    assert!(wrong.contains("is that of the member `a`"), "{wrong}");
    std::fs::write(at("c").join("history.json"), "{}").unwrap();
    let wrong = open("a", Some(&["a", "b"])).unwrap_err();
    assert!(wrong.contains("damaged\nhint: "), "{wrong}");
    journal.close().await.unwrap();
}

/// Guarantees: BOUNDED; lists that change all the time are not followed for ever, and epochs are
/// forgotten when nothing asks for them.
#[tokio::test]
async fn epochs_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let meter = Meter::new();
    let (journal, _) = Journal::open(&at("j"), journal::Options::default(), &meter).unwrap();
    let cluster = Cluster::open(options("a", Some(&["a"])), &journal, &at("c"), &meter).unwrap();
    let names = [&["a", "b"][..], &["a"]];
    let changes = (0..100).map(|n| cluster.change(members(names[n % 2])));
    let taken = changes.take_while(Result::is_ok).count();
    assert_eq!(taken, MAX_EPOCHS - 1);
    assert!(matches!(cluster.change(members(names[0])), Ok(false)));
    cluster.forget().unwrap();
    assert_eq!(cluster.history().epochs.len(), MAX_EPOCHS);

    let mut history = cluster.history();
    let end = Position {
        segment: u64::MAX,
        offset: 0,
    };
    assert_eq!(history.forget_before(end, u64::MAX), MAX_EPOCHS - 1);
    let numbers: BTreeSet<u64> = history.epochs.iter().map(|epoch| epoch.number).collect();
    assert_eq!(numbers, BTreeSet::from([MAX_EPOCHS as u64 - 1]));
    journal.close().await.unwrap();
}
