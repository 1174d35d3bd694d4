//! TLS from end to end: the real binary, with curl, openssl and the upstream Collector at the other
//! end, and certificates of `stella telemetry pki`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use testkit::collector::Collector;
use testkit::ids::Ids;
use testkit::load::Sender;
use testkit::openssl::{Pair, openssl, s_client};
use testkit::pki::Pki;
use testkit::stella::Stella;
use testkit::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Posts a trace with curl; whether it was taken.
fn post(stella: &Stella, pki: &Pki, more: &[&str]) -> bool {
    let file = testkit::repository().join("crates/testkit/data/otlp/trace.json");
    let url = format!("https://localhost:{}/v1/traces", stella.at().http.port());
    let output = Command::new("curl")
        .args(["--silent", "--fail", "--cacert", text(&pki.ca())])
        .args(["-H", "content-type: application/json", "--data-binary"])
        .arg(format!("@{}", file.display()))
        .args(more)
        .arg(url)
        .output()
        .expect("curl is installed");
    output.status.success()
}

fn shows(pair: &Pair) -> [&str; 4] {
    ["--cert", text(&pair.cert), "--key", text(&pair.key)]
}

/// A connection of openssl's that stays open.
struct Open(Child, BufReader<ChildStdout>);

impl Open {
    fn to(stella: &Stella, pair: &Pair) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect"])
            .arg(stella.at().http.to_string())
            .args(["-cert", text(&pair.cert), "-key", text(&pair.key)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Open(child, stdout)
    }

    /// Asks for a page that is not there; the head of the answer.
    fn ask(&mut self) -> String {
        let request = b"GET /none HTTP/1.1\r\nhost: a\r\n\r\n";
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(request).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.1.read_line(&mut head).unwrap() > 0, "{head}");
        }
        // The body of a 404 is as long as its head says.
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.1.read_exact(&mut body).unwrap();
        head
    }

    /// What comes until the other side closes.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn failures(stella: &Stella, reason: &str) -> u64 {
    let page = stella.page(stella.at().metrics, "/metrics");
    let label = format!("reason=\"{reason}\"");
    let lines = page.lines().filter(|line| {
        line.starts_with("stella_tls_handshake_failures_total") && line.contains(&label)
    });
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum::<f64>() as u64
}

/// Guarantees: with certificates of `pki`, what the upstream Collector sends over gRPC, curl over
/// HTTP/2 and HTTP/1.1, and `send` over both is in the journal; whoever shows no certificate is
/// refused and counted.
#[test]
fn mutual_tls_from_sender_to_journal() {
    let pki = Pki::new(BINARY);
    let pair = pki.client("acme", "scanner");
    let stella = Stella::start(BINARY, &pki.profile());

    let endpoint = format!("localhost:{}", stella.at().grpc.port());
    let collector = Collector::sending_over_tls(&endpoint, &pki.ca(), &pair);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sent = runtime.block_on(async {
        let mut sender = Sender::connect(collector.grpc(), 1, 0).await.unwrap();
        sender.send(50).await.unwrap()
    });
    wait_for("the Collector's spans", || {
        let spans = Ids::read(&stella.dump()).spans;
        sent.iter().all(|id| spans.contains_key(id))
    });

    let taken = "otelcol_receiver_accepted_spans";
    let before = stella.metric(taken);
    let certificate = shows(&pair);
    assert!(post(&stella, &pki, &certificate));
    assert!(post(
        &stella,
        &pki,
        &[&certificate[..], &["--http1.1"]].concat()
    ));
    assert!(!post(&stella, &pki, &[]));
    assert_eq!(failures(&stella, "no_certificate"), 1);

    let file = testkit::repository().join("crates/testkit/data/otlp/trace.json");
    let ca = pki.ca();
    let trusting = ["--ca", text(&ca)];
    for protocol in ["grpc", "http"] {
        let arguments = ["send", text(&file), "--protocol", protocol];
        stella.print(&[&arguments[..], &trusting, &certificate].concat());
        let refused = stella.run(&[&arguments[..], &trusting].concat());
        assert_eq!(refused.status.code(), Some(5));
        let errors = String::from_utf8_lossy(&refused.stderr);
        let hint = "hint: the destination refused our certificate";
        assert!(errors.contains(hint), "{errors}");
        let refused = stella.run(&arguments);
        assert_eq!(refused.status.code(), Some(2));
        let errors = String::from_utf8_lossy(&refused.stderr);
        assert!(errors.contains("hint: name its CA with --ca"), "{errors}");
    }
    assert_eq!(failures(&stella, "no_certificate"), 3);
    assert_eq!((stella.metric(taken) - before) as u64, 4);
}

/// Guarantees: `pki revoke` and `pki renew` take effect on a running gateway, which SIGHUP hurries
/// and does not end.
#[test]
fn revoking_and_renewing_take_effect_on_a_running_gateway() {
    let pki = Pki::new(BINARY);
    let [good, bad] = ["good", "bad"].map(|name| pki.client("acme", name));
    let stella = Stella::start(BINARY, &pki.profile());
    assert!(post(&stella, &pki, &shows(&good)));
    assert!(post(&stella, &pki, &shows(&bad)));
    let mut open = Open::to(&stella, &bad);
    assert!(open.ask().contains("404"));

    let hurry = || {
        let pid = stella.at().pid.to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().unwrap();
        assert!(sent.success());
    };
    pki.good(&["revoke", text(&bad.cert)]);
    hurry();
    // A connection that was accepted just before may be ended for it, without a failed handshake.
    wait_for("the revocation", || {
        !post(&stella, &pki, &shows(&bad)) && failures(&stella, "revoked") > 0
    });
    assert!(!post(&stella, &pki, &shows(&bad)));
    assert_eq!(open.rest(), "", "the open connection ends");
    assert!(post(&stella, &pki, &shows(&good)));

    let serial = || {
        let said = s_client(stella.at().grpc, &["-alpn", "h2"], "");
        let from = said.find("-----BEGIN CERT").unwrap();
        let file = stella.folder().join("shown.pem");
        std::fs::write(&file, &said[from..]).unwrap();
        openssl(&["x509", "-noout", "-serial", "-in", text(&file)])
    };
    let server = pki.server();
    let of_file = || openssl(&["x509", "-noout", "-serial", "-in", text(&server.cert)]);
    let before = of_file();
    assert_eq!(serial(), before);
    pki.good(&["renew", text(&server.cert)]);
    hurry();
    wait_for("the new certificate", || serial() != before);
    assert_eq!(serial(), of_file());
    assert!(post(&stella, &pki, &shows(&good)));
}

/// Guarantees: the own ports have TLS where it is enabled for them, and `status` speaks it.
#[test]
fn own_ports_have_tls_where_asked_for() {
    let pki = Pki::new(BINARY);
    let profile = format!(
        "{}  health: {{ enabled: true, client_auth: off }}\n",
        pki.profile()
    );
    let stella = Stella::start(BINARY, &profile);
    let refused = stella.run(&["status"]);
    assert_eq!(refused.status.code(), Some(2));
    let status = stella.print(&["status", "--ca", text(&pki.ca())]);
    assert!(status.contains("(TLS)"), "{status}");
    assert!(status.contains("OTLP/HTTP   https://"), "{status}");
    let other = Pki::new(BINARY);
    let refused = stella.run(&["status", "--ca", text(&other.ca())]);
    assert_eq!(refused.status.code(), Some(5));
    let url = format!("https://localhost:{}/ready", stella.at().health.port());
    let output = Command::new("curl")
        .args(["--silent", "--cacert", text(&pki.ca()), &url])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"ready\n");
    // Plain, as nothing was said of it.
    assert!(
        stella
            .page(stella.at().metrics, "/metrics")
            .contains("200 OK")
    );
}

/// Guarantees: a destination with mutual TLS gets everything, over gRPC and HTTP; with a wrong CA
/// it gets nothing and nothing is lost, `status` says why, and a right CA put in its place is
/// enough.
#[test]
fn a_destination_over_mutual_tls() {
    let (pki, wrong) = (Pki::new(BINARY), Pki::new(BINARY));
    let own = pki.client("acme", "gateway");
    let collector = Collector::writing_over_tls(&pki.server(), &pki.ca());
    let bundle = pki.folder().join("trusted.pem");
    std::fs::copy(wrong.ca(), &bundle).unwrap();
    let ship = |name: &str, protocol: &str, endpoint: String| {
        format!(
            "  - name: {name}\n    otlp:\n      endpoint: {}\n      protocol: {protocol}\n      tls: {{ ca: {}, cert: {}, key: {} }}\n",
            endpoint.replace("http://127.0.0.1", "https://localhost"),
            bundle.display(),
            own.cert.display(),
            own.key.display()
        )
    };
    let profile = format!(
        "ship:\n{}{}",
        ship("by-grpc", "grpc", collector.grpc()),
        ship("by-http", "http", collector.http())
    );
    let stella = Stella::start(BINARY, &profile);
    let file = testkit::repository().join("crates/testkit/data/otlp/trace.json");
    stella.print(&["send", text(&file)]);
    wait_for("the refusal", || {
        let status = stella.print(&["status"]);
        status.matches("no CA in").count() == 2
    });
    assert_eq!(collector.received(), "");
    assert_eq!(stella.metric("stella_items_lost_total"), 0.0);

    std::fs::copy(pki.ca(), &bundle).unwrap();
    wait_for("the span to arrive twice", || {
        collector.received().matches("I'm a server span").count() == 2
    });
    assert_eq!(stella.metric("stella_items_lost_total"), 0.0);
}

/// Guarantees: `up` says what is wrong with a profile's TLS and how to put it right, and does not
/// start; plaintext off loopback stays refused, TLS there does not need a flag.
#[test]
fn up_refuses_what_is_not_safe() {
    let pki = Pki::new(BINARY);
    let dir = tempfile::tempdir().unwrap();
    let ports =
        "http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '127.0.0.1:0'";
    let up = |rest: &str, more: &[&str]| {
        let profile = dir.path().join("profile.yaml");
        std::fs::write(&profile, rest).unwrap();
        let output = Command::new(BINARY)
            .args(["telemetry", "up", "--profile", text(&profile), "--data-dir"])
            .arg(dir.path().join("data"))
            .args(more)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), errors)
    };
    let off = format!("listen: {{ grpc: '0.0.0.0:0', {ports} }}\n");
    let (code, errors) = up(&off, &[]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("plaintext off loopback"), "{errors}");

    let loopback = off.replace("0.0.0.0:0", "127.0.0.1:0");
    let (code, errors) = up(&(loopback.clone() + &pki.profile()), &["--demo"]);
    assert_eq!(code, Some(2), "{errors}");

    let wide = pki.server().key;
    let status = Command::new("chmod").args(["0644", text(&wide)]).status();
    assert!(status.unwrap().success());
    let (code, errors) = up(&(loopback + &pki.profile()), &[]);
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("hint: chmod 0600"), "{errors}");
    testkit::openssl::close(&wide);

    let stella = Stella::start_at(BINARY, &off, &pki.profile());
    assert!(stella.at().grpc.ip().is_unspecified());
}

/// Guarantees: `pki show` tells a person and a program the same, and `pki` exits as documented.
#[test]
fn pki_shows_what_there_is() {
    let pki = Pki::new(BINARY);
    let bad = pki.client("acme", "bad");
    pki.good(&[
        "issue", "client", "--tenant", "acme", "--name", "short", "--days", "5",
    ]);
    pki.good(&["revoke", text(&bad.cert)]);
    let shown = pki.good(&["show"]);
    let states: Vec<&str> = shown
        .lines()
        .skip(1)
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(
        states,
        ["good", "good", "revoked", "expires soon"],
        "{shown}"
    );
    assert!(
        shown.contains("spiffe://site.example/tenant/acme/bad"),
        "{shown}"
    );
    let json = pki.good(&["show", "--output", "json"]);
    let kinds: Vec<String> = json
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", value["kind"], value["state"])
        })
        .collect();
    let expected = [
        r#""ca" "good""#,
        r#""server" "good""#,
        r#""client" "revoked""#,
        r#""client" "expiring""#,
    ];
    assert_eq!(kinds, expected);

    let renewed = pki.good(&["renew", "--within-days", "30"]);
    assert_eq!(renewed.matches("certificate ").count(), 1, "{renewed}");
    let again = pki.run(&["init"]);
    assert_eq!(again.status.code(), Some(3));
    let errors = String::from_utf8(again.stderr).unwrap();
    assert!(errors.contains("hint: --force"), "{errors}");
    let nameless = pki.run(&["issue", "server"]);
    assert_eq!(nameless.status.code(), Some(2));
}
