//! Senders behind a load balancer: the spans of each trace come in at any gateway, over a while.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use testkit::traces::{One, Sender};

use super::{FEW, MANY};

const TICK: Duration = Duration::from_millis(50);
/// Ticks from a trace's first span to its last.
const LIFE: u64 = 30;
/// Traces a tick.
const TRACES: usize = 12;

/// What the balancer knows, and what it is told.
#[derive(Default)]
struct Shared {
    gateways: Vec<SocketAddr>,
    stop: bool,
}

/// Load that runs.
pub struct Load {
    shared: Arc<Mutex<Shared>>,
    thread: JoinHandle<Vec<Vec<One>>>,
}

impl Load {
    pub fn start(seed: u64, gateways: Vec<SocketAddr>) -> Load {
        let stop = false;
        let shared = Arc::new(Mutex::new(Shared { gateways, stop }));
        let there = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run(seed, &there))
        });
        Load { shared, thread }
    }

    /// Who is behind the balancer from now on.
    pub fn set(&self, gateways: Vec<SocketAddr>) {
        self.shared.lock().unwrap().gateways = gateways;
    }

    /// Begins no more traces; when those under way are sent, all that were.
    pub fn end(self) -> Vec<Vec<One>> {
        self.shared.lock().unwrap().stop = true;
        self.thread.join().unwrap()
    }
}

async fn run(seed: u64, shared: &Mutex<Shared>) -> Vec<Vec<One>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut traces, mut next, mut tick) = (Vec::new(), 0, 0);
    let mut due: BTreeMap<u64, Vec<One>> = BTreeMap::new();
    let mut senders: HashMap<SocketAddr, Sender> = HashMap::new();
    loop {
        let (stop, gateways) = {
            let shared = shared.lock().unwrap();
            (shared.stop, shared.gateways.clone())
        };
        if stop && due.is_empty() {
            return traces;
        }
        if !stop {
            for _ in 0..TRACES {
                let spans = trace(&mut rng, &mut next);
                for span in &spans {
                    let when = tick + rng.random_range(0..LIFE);
                    due.entry(when).or_default().push(span.clone());
                }
                traces.push(spans);
            }
        }
        let mut parts: HashMap<SocketAddr, Vec<One>> = HashMap::new();
        for span in due.remove(&tick).unwrap_or_default() {
            let to = gateways[rng.random_range(0..gateways.len())];
            parts.entry(to).or_default().push(span);
        }
        for (to, spans) in parts {
            send(&mut senders, to, &gateways, &spans).await;
        }
        tick += 1;
        tokio::time::sleep(TICK).await;
    }
}

/// As a balancer does: where one does not answer, the next one gets it.
async fn send(
    senders: &mut HashMap<SocketAddr, Sender>,
    first: SocketAddr,
    gateways: &[SocketAddr],
    spans: &[One],
) {
    for to in std::iter::once(first).chain(gateways.iter().copied().cycle().take(1000)) {
        let known = match senders.remove(&to) {
            Some(sender) => Ok(sender),
            None => Sender::connect(format!("http://{to}")).await,
        };
        let Ok(mut sender) = known else { continue };
        if sender.send(spans).await.is_ok() {
            senders.insert(to, sender);
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no gateway takes anything");
}

/// Few spans or many; in one of eight one span has an error.
fn trace(rng: &mut StdRng, next: &mut u64) -> Vec<One> {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let spans = match rng.random_ratio(1, 6) {
        true => rng.random_range(MANY..MANY + 4),
        false => rng.random_range(2..=FEW),
    };
    let failed = rng.random_ratio(1, 8).then(|| rng.random_range(0..spans));
    let one = |at: usize| {
        *next += 1;
        One {
            trace: id,
            id: *next,
            service: "a",
            error: failed == Some(at),
        }
    };
    (0..spans).map(one).collect()
}
