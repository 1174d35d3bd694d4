//! What TLS proves of a sender reaches the guard, with curl as the sender.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

use std::process::Command;
use std::sync::{Arc, Mutex};

use gateway::{Config, Gateway, Guard, Head, OpenGuard, Pass, Peer, Refusal};
use ident::{Certificate, TenantId};
use journal::Journal;
use meter::Meter;
use testkit::openssl::{Authority, Pair, Wanted};
use tls::{Alpn, ClientAuth, Identity, Keeper, MinVersion, ServerFiles};
use tokio_util::sync::CancellationToken;

/// Takes everything and remembers from whom.
struct Remembers {
    open: OpenGuard,
    seen: Arc<Mutex<Vec<Peer>>>,
}

impl Guard for Remembers {
    fn enter(&self, head: &Head<'_>) -> Result<Box<dyn Pass>, Refusal> {
        self.seen.lock().unwrap().push(head.peer.clone());
        self.open.enter(head)
    }
}

fn post(addr: std::net::SocketAddr, authority: &Authority, pair: Option<&Pair>, times: usize) {
    let file = testkit::repository().join("crates/testkit/data/otlp/trace.json");
    let url = format!("https://localhost:{}/v1/traces", addr.port());
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--fail", "--cacert"])
        .arg(authority.ca())
        .args(["-H", "content-type: application/json", "--data-binary"])
        .arg(format!("@{}", file.display()));
    if let Some(pair) = pair {
        command.arg("--cert").arg(&pair.cert);
        command.arg("--key").arg(&pair.key);
    }
    let output = command.args(vec![url; times]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// Guarantees: the guard sees the names of the sender's verified certificate, read once a
/// connection; and none of a sender that shows none where that is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn the_guard_sees_the_senders_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::root(&folder.path().join("ca"));
    let server = authority.issue(&Wanted::server("server"));
    let name = "URI:spiffe://site/tenant/acme/scanner";
    let sender = authority.issue(&Wanted::client("scanner", name));
    let meter = Meter::new();
    let files = ServerFiles {
        identity: Identity {
            cert: server.cert,
            key: server.key,
        },
        client_ca: Some(authority.ca()),
        client_auth: ClientAuth::Optional,
        crls: Vec::new(),
        min_version: MinVersion::Tls12,
        alpn: Alpn::Either,
    };
    let mut config = Config::default();
    config.grpc.addr.set_port(0);
    config.http.addr.set_port(0);
    config.http.tls = Some(Keeper::new(&meter).server("http", files).unwrap());
    let options = journal::Options::default();
    let journal_dir = folder.path().join("journal");
    let (journal, _) = Journal::open(&journal_dir, options, &meter).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let guard = Arc::new(Remembers {
        open: OpenGuard::new(TenantId::default_tenant()),
        seen: Arc::clone(&seen),
    });
    let gateway = Gateway::bind(config, guard, journal.clone(), &meter);
    let gateway = gateway.await.unwrap();
    let addr = gateway.http_addr();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(gateway.serve(stop.clone()));
    tokio::task::spawn_blocking(move || {
        post(addr, &authority, Some(&sender), 2);
        post(addr, &authority, None, 1);
    })
    .await
    .unwrap();
    stop.cancel();
    serving.await.unwrap();
    journal.close().await.unwrap();

    let seen = seen.lock().unwrap();
    let certificates: Vec<Option<&Arc<Certificate>>> =
        seen.iter().map(|peer| peer.certificate.as_ref()).collect();
    let [Some(first), Some(second), None] = certificates.as_slice() else {
        panic!("{certificates:?}")
    };
    assert_eq!(first.uris, ["spiffe://site/tenant/acme/scanner"]);
    assert_eq!(first.subject, "CN=scanner");
    assert!(Arc::ptr_eq(first, second), "it was read for each request");
}
