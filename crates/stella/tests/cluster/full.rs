//! Members whose journals are full.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use testkit::client::Caller;
use testkit::collector::Collector;
use testkit::messages::wire;
use testkit::stella::Stella;
use testkit::{free_port, wait_for};

use super::{BINARY, arrived, check_counters, listen};

const BUSY: u32 = 8;

/// A span that takes about 48 KiB, also compressed, and its name.
fn large(rng: &mut StdRng) -> (String, Vec<u8>) {
    let (mut trace, mut span, mut text) = ([0; 16], [0; 8], vec![0; 48 << 10]);
    rng.fill_bytes(&mut trace);
    rng.fill_bytes(&mut span);
    rng.fill_bytes(&mut text);
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let request = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": STANDARD.encode(trace), "spanId": STANDARD.encode(span), "name": "GET /",
        "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000000000000001",
        "attributes": [{ "key": "a", "value": { "bytesValue": STANDARD.encode(text) } }],
    }]}]}]});
    let name = format!("{}:{}", hex(&trace), hex(&span));
    (name, wire("traces", &request))
}

/// Sends until the gateway tells senders to wait for the sake of other members; what it took.
fn fill(stella: &Stella, rng: &mut StdRng) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut taken = Vec::new();
    runtime.block_on(async {
        let caller = Caller::new(stella.at().grpc);
        for _ in 0..4000 {
            let (name, request) = large(rng);
            let answer = caller.call("traces", &[], request).await;
            match answer.code {
                0 => taken.push(name),
                BUSY if stella.metric("stella_cluster_reserve_in_use") == 1.0 => {
                    assert!(
                        answer.message.contains("other members"),
                        "{}",
                        answer.message
                    );
                    return;
                }
                BUSY => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                code => unreachable!("{code}: {}", answer.message),
            }
        }
        unreachable!("it takes more than its journal holds");
    });
    taken
}

/// Guarantees: BOUNDED without a standstill. Two members, each full with what the other is to get
/// while that is down, empty each other once both run.
#[test]
fn full_members_empty_each_other() {
    let collector = Collector::writing();
    let ports = [free_port(), free_port()];
    let start = |n: usize| {
        let text = format!(
            "journal: {{ max_bytes: 12MiB, segment_bytes: 1MiB, window: 1s, durability: os }}
redaction: {{ enabled: false }}
sampling: {{ wait: 200ms, remember: 1s, policies: [{{ name: all, type: always_sample }}] }}
cluster:
  name: gw-{n}
  members:
    - {{ name: gw-1, endpoint: 'http://127.0.0.1:{}' }}
    - {{ name: gw-2, endpoint: 'http://127.0.0.1:{}' }}
ship:
  - {{ name: backend, signals: [traces], otlp: {{ endpoint: '{}' }} }}
",
            ports[0],
            ports[1],
            collector.grpc()
        );
        Stella::start_at(BINARY, &listen(ports[n - 1]), &text)
    };
    let mut gateways = [start(1), start(2)];
    for stella in &gateways {
        wait_for("a gateway to join", || {
            stella.metric("stella_cluster_joining") == 0.0
        });
    }
    let mut rng = StdRng::seed_from_u64(9);
    gateways[1].kill();
    let mut taken = fill(&gateways[0], &mut rng);
    gateways[0].kill();
    gateways[1].start_again();
    taken.extend(fill(&gateways[1], &mut rng));
    gateways[0].start_again();
    wait_for("all that was taken", || {
        let (got, _) = arrived(&collector.received());
        taken.iter().all(|name| got.contains(name))
    });
    for stella in &gateways {
        check_counters(stella);
        wait_for("the reserve to be free again", || {
            stella.metric("stella_cluster_reserve_in_use") == 0.0
        });
    }
}
