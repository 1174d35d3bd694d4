//! One tenant floods; how much another that sends at a steady low rate feels of it.

use std::process::{Child, Command, Stdio};

use policy::identity::token::opaque::NewToken;
use testkit::stella::Stella;

use crate::load::Outcome;
use crate::measure::median;

/// Processes that flood, each over two connections with eight requests in flight.
const FLOODS: usize = 2;
/// Alone and beside the flood, one after the other.
const ROUNDS: usize = 5;
const REQUESTS: u64 = 200;
const PER_SECOND: f64 = 50.0;

/// What came of it.
pub struct Neighbours {
    /// Tenant B's p99 in milliseconds, alone: the median of all rounds.
    pub alone_ms: f64,
    /// The same while tenant A floods.
    pub beside_ms: f64,
    /// B's requests that were refused.
    pub refused: u64,
    /// A's requests that were refused.
    pub flood_refused: f64,
}

impl Neighbours {
    /// The row of the report.
    pub fn row(&self) -> String {
        format!(
            "| tenant B's p99 while A floods ÷ alone | {:.2} ms ÷ {:.2} ms = {:.2} | {:.0} of A's requests and {} of B's refused; medians of {ROUNDS} rounds; A sends on {} connections, on the same cores |",
            self.beside_ms,
            self.alone_ms,
            self.beside_ms / self.alone_ms,
            self.flood_refused,
            self.refused,
            FLOODS * 2
        )
    }
}

/// Measures with a gateway of its own that limits A's bytes a second and B's not.
pub fn measure(stella: &str) -> Neighbours {
    let (a, b) = (NewToken::new([0xa; 32]), NewToken::new([0xb; 32]));
    let gateway = Stella::start(
        stella,
        &format!(
            "identity:\n  tenants:\n    a: {{ match: [{{ token: '{}' }}] }}\n    b: {{ match: [{{ token: '{}' }}] }}\n\
             quotas: {{ tenants: {{ a: {{ traces: {{ bytes_per_second: 20MiB, burst_bytes: 40MiB }} }} }} }}\n\
             limits: {{ in_flight_bytes: 8MiB, connection_in_flight_bytes: 4MiB }}\n",
            a.digest(),
            b.digest()
        ),
    );
    let addr = gateway.at().grpc.to_string();
    let steady = || steady(&addr, b.reveal());
    steady();
    let (mut alone, mut beside, mut refused) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let outcome = steady();
        refused += outcome.refused;
        alone.push(outcome.p99_ms);
        let before = flood_refused(&gateway);
        let _floods: Vec<Flood> = (0..FLOODS)
            .map(|_| Flood::start(&addr, a.reveal()))
            .collect();
        testkit::wait_for("the flood to be held back", || {
            flood_refused(&gateway) > before + 10.0
        });
        let outcome = steady();
        refused += outcome.refused;
        beside.push(outcome.p99_ms);
    }
    Neighbours {
        alone_ms: median(alone),
        beside_ms: median(beside),
        refused,
        flood_refused: flood_refused(&gateway),
    }
}

fn flood_refused(gateway: &Stella) -> f64 {
    gateway.metric("stella_guard_refused_requests_total")
}

fn steady(addr: &str, bearer: &str) -> Outcome {
    let (requests, rate) = (REQUESTS.to_string(), PER_SECOND.to_string());
    let output = me(&["load", addr, &requests, &rate, bearer])
        .output()
        .expect("the load runs");
    assert!(output.status.success(), "the load failed");
    serde_json::from_slice(&output.stdout).expect("its outcome")
}

fn me(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(arguments).stderr(Stdio::inherit());
    command
}

/// A sender that does not stop.
struct Flood(Child);

impl Flood {
    fn start(addr: &str, bearer: &str) -> Self {
        let child = me(&["flood", addr, bearer]).stdout(Stdio::null()).spawn();
        Flood(child.expect("the flood starts"))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
