//! Members that are killed, that come and that go, under load.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt;
use tempfile::TempDir;
use testkit::collector::Collector;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::{free_port, wait_for};

use super::load::Load;
use super::{BINARY, POLICIES, arrived, check_counters, list, listen, names};

/// Where gateways are started that share a list and a destination.
struct Site {
    collector: Collector,
    folder: TempDir,
    ports: Vec<u16>,
    times: &'static str,
    /// More keys of `cluster`.
    more: &'static str,
}

impl Site {
    /// `times` is what stands after `wait:`.
    fn new(most: usize, times: &'static str, more: &'static str) -> Site {
        Site {
            collector: Collector::writing(),
            folder: tempfile::tempdir().unwrap(),
            ports: (0..most).map(|_| free_port()).collect(),
            times,
            more,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("members.yaml")
    }

    /// Puts a list in the place of the one before.
    fn list(&self, members: &[usize]) {
        let names: Vec<String> = members.iter().map(|&n| name(n)).collect();
        let members = names.iter().zip(members);
        let members: Vec<_> = members
            .map(|(name, &n)| (name.as_str(), self.ports[n]))
            .collect();
        list(&self.file(), &members);
    }

    fn start(&self, n: usize) -> Stella {
        let (name, times, more) = (name(n), self.times, self.more);
        let (file, destination) = (self.file(), self.collector.grpc());
        let profile = format!(
            "sampling:\n  wait: {times}\n{POLICIES}cluster: {{ name: {name}, file: {}, check: 100ms{more} }}\nship:\n  - {{ name: backend, signals: [traces], otlp: {{ endpoint: '{destination}' }} }}\n",
            file.display()
        );
        Stella::start_at(BINARY, &listen(self.ports[n]), &profile)
    }

    /// Three that have found each other.
    fn three(&self) -> Vec<Stella> {
        self.list(&[0, 1, 2]);
        let gateways: Vec<Stella> = (0..3).map(|n| self.start(n)).collect();
        joined(&gateways);
        gateways
    }
}

fn name(n: usize) -> String {
    format!("gw-{}", n + 1)
}

fn addresses(gateways: &[Stella]) -> Vec<SocketAddr> {
    gateways.iter().map(|stella| stella.at().grpc).collect()
}

fn seed() -> u64 {
    let seed = std::env::var("STELLA_CLUSTER_SEED").map_or_else(
        |_| rand::rng().random(),
        |text| text.parse().expect("STELLA_CLUSTER_SEED"),
    );
    println!("STELLA_CLUSTER_SEED={seed}");
    seed
}

/// Until each has heard from the others that nothing was before.
fn joined(gateways: &[Stella]) {
    for stella in gateways {
        wait_for("a gateway to join", || {
            stella.metric("stella_cluster_joining") == 0.0
        });
    }
}

fn sleep(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Everything that must arrive has, nothing else has, and nothing is under way.
fn check(traces: &[Vec<One>], collector: &Collector, gateways: &[&Stella]) {
    let expected = names(traces);
    wait_for("the kept spans", || {
        expected.is_subset(&arrived(&collector.received()).0)
    });
    for stella in gateways {
        wait_for("everything to be decided", || {
            stella.series("stella_sampler_lag_seconds") == 0.0
        });
    }
    let (got, twice) = arrived(&collector.received());
    let more: Vec<&String> = got.difference(&expected).collect();
    assert_eq!(more, Vec::<&String>::new(), "of {} spans", expected.len());
    for stella in gateways {
        check_counters(stella);
    }
    let all: usize = traces.iter().map(Vec::len).sum();
    println!(
        "{} traces, {all} spans, {} of them kept; {twice} spans arrived once more",
        traces.len(),
        expected.len()
    );
}

/// Guarantees: three gateways share the traces, one is killed and comes back, a fourth is added,
/// all under load; each trace arrives whole or not at all, and those arrive that must. RESTARTABLE,
/// ACK-DURABLE.
#[test]
fn one_is_killed_and_one_is_added_under_load() {
    // Longer than any outage in this test, so that no span is late.
    let site = Site::new(4, "12s\n  remember: 20s", "");
    let mut gateways = site.three();
    let load = Load::start(seed(), addresses(&gateways));
    sleep(2000);
    gateways[1].kill();
    sleep(1000);
    gateways[1].start_again();
    sleep(1500);
    site.list(&[0, 1, 2, 3]);
    gateways.push(site.start(3));
    load.set(addresses(&gateways));
    sleep(3000);
    // Once more, within the handover.
    gateways[0].kill();
    sleep(500);
    gateways[0].start_again();
    sleep(1000);
    let traces = load.end();
    let all: Vec<&Stella> = gateways.iter().collect();
    check(&traces, &site.collector, &all);
    for stella in all {
        assert!(stella.metric("stella_cluster_received_items_total") > 0.0);
        assert_eq!(stella.metric("stella_cluster_members"), 4.0);
        assert_eq!(stella.metric("stella_cluster_joining"), 0.0);
    }
    let stayed = |stella: &Stella| stella.metric("stella_cluster_staying_traces");
    assert!(gateways.iter().map(stayed).sum::<f64>() > 0.0);
    let status = gateways[3].print(&["status"]);
    assert!(
        status.contains("cluster     gw-4 among gw-1, gw-2, gw-3, gw-4"),
        "{status}"
    );
}

/// Guarantees: what is for a member that is gone for good is given to the present owners once the
/// handover is over: nothing waits for ever, and nothing is lost.
#[test]
fn one_is_gone_for_good() {
    let site = Site::new(3, "6s\n  remember: 10s", ", handover: 7s");
    let mut gateways = site.three();
    // What it has acknowledged is on its disk, and it does not come back: it has nothing.
    gateways.pop().unwrap().kill();
    let load = Load::start(seed(), addresses(&gateways));
    sleep(1500);
    site.list(&[0, 1]);
    sleep(1500);
    let traces = load.end();
    let all: Vec<&Stella> = gateways.iter().collect();
    check(&traces, &site.collector, &all);
    let rehomed = |stella: &&Stella| stella.metric("stella_cluster_rehomed_items_total");
    assert!(all.iter().map(rehomed).sum::<f64>() > 0.0);
}

/// Guarantees: a member that leaves the list and runs on hands over: nothing is lost, and it can be
/// stopped when it has nothing left.
#[test]
fn one_leaves() {
    let site = Site::new(3, "3s\n  remember: 5s", "");
    let mut gateways = site.three();
    let load = Load::start(seed(), addresses(&gateways));
    sleep(2000);
    site.list(&[0, 1]);
    load.set(addresses(&gateways[..2]));
    sleep(2500);
    let traces = load.end();
    let all: Vec<&Stella> = gateways.iter().collect();
    check(&traces, &site.collector, &all);
    let status = gateways[2].print(&["status"]);
    assert!(
        status.contains("gw-3 among gw-1, gw-2, of which it is none any more"),
        "{status}"
    );
    gateways[2].terminate();
}
