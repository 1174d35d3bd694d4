//! What a profile may say, and how a wrong one is answered.

use std::time::Duration;

use profile::{
    AtLimit, ClientAuth, Compression, Destination, Durability, MinVersion, Port, Protocol, parse,
};

/// Guarantees: an empty profile is the embedded default, on loopback.
#[test]
fn empty_is_the_default() {
    let profile = parse("empty.yaml", "").unwrap();
    assert_eq!(profile.listen.grpc.to_string(), "127.0.0.1:4317");
    assert_eq!(profile.listen.http.to_string(), "127.0.0.1:4318");
    assert_eq!(profile.listen.metrics.to_string(), "127.0.0.1:8888");
    assert_eq!(profile.listen.health.to_string(), "127.0.0.1:13133");
    assert_eq!(profile.journal.durability, Durability::Fsync);
    assert!(profile.ship.is_empty());
}

/// Guarantees: every key is read, with units.
#[test]
fn reads_a_whole_profile() {
    let profile = parse(
        "site.yaml",
        "\
listen: { grpc: 127.0.0.1:0, http: '[::1]:4318' }
journal:
  durability: os
  window: 1h 30m
  max_bytes: 10GiB
  at_limit: drop_oldest
limits:
  request_bytes: 8388608
ship:
  - name: backend
    signals: [traces, logs]
    otlp:
      endpoint: http://127.0.0.1:4317
      protocol: http
      compression: zstd
      timeout: 500ms
      headers: { authorization: '${env:TOKEN}' }
  - name: disk
    file: { path: /var/lib/otlp, format: proto, rotate_bytes: 1GB }
",
    )
    .unwrap();
    assert_eq!(profile.listen.http.to_string(), "[::1]:4318");
    assert_eq!(profile.journal.window.0, Duration::from_secs(90 * 60));
    assert_eq!(profile.journal.max_bytes.0, 10 << 30);
    assert_eq!(profile.journal.at_limit, AtLimit::DropOldest);
    assert_eq!(profile.limits.request_bytes.0, 8 << 20);
    let Some(Destination::Otlp(otlp)) = profile.ship[0].destination() else {
        panic!()
    };
    assert_eq!(
        (otlp.protocol, otlp.compression),
        (Protocol::Http, Compression::Zstd)
    );
    assert_eq!(otlp.timeout.0, Duration::from_millis(500));
    assert!(
        !format!("{profile:?}").contains("TOKEN"),
        "a secret's place is not shown either"
    );
    let Some(Destination::File(file)) = profile.ship[1].destination() else {
        panic!()
    };
    assert_eq!(file.rotate_bytes.0, 1_000_000_000);
}

/// Guarantees: TLS holds for the OTLP ports and, where asked for, for the others; each port may
/// differ in each key.
#[test]
fn tls_is_resolved_port_by_port() {
    let profile = parse(
        "tls.yaml",
        "\
tls:
  cert: a.pem
  key: a.key
  client_ca: ca.pem
  crl: [ca.crl]
  min_version: '1.3'
  grpc: { client_auth: optional, cert: b.pem, key: b.key, min_version: 1.2 }
  health: { enabled: true, client_auth: off }
",
    )
    .unwrap();
    let http = profile.tls.of(Port::Http).unwrap();
    assert_eq!(http.cert.to_str(), Some("a.pem"));
    assert_eq!(http.client_auth, ClientAuth::Required);
    assert_eq!(http.min_version, MinVersion::V1_3);
    assert_eq!(http.crl.len(), 1);
    let grpc = profile.tls.of(Port::Grpc).unwrap();
    assert_eq!(grpc.cert.to_str(), Some("b.pem"));
    assert_eq!(grpc.client_auth, ClientAuth::Optional);
    assert_eq!(grpc.min_version, MinVersion::V1_2);
    assert_eq!(grpc.client_ca, http.client_ca);
    assert_eq!(profile.tls.of(Port::Metrics), None);
    let health = profile.tls.of(Port::Health).unwrap();
    assert_eq!(health.client_auth, ClientAuth::Off);
    assert!(health.crl.is_empty());

    let plain = "tls: { cert: a, key: b, http: { enabled: false } }\n";
    let profile = parse("tls.yaml", plain).unwrap();
    assert_eq!(profile.tls.of(Port::Http), None);
    let grpc = profile.tls.of(Port::Grpc).unwrap();
    assert_eq!(grpc.client_auth, ClientAuth::Off);
    assert_eq!(parse("e", "").unwrap().tls.of(Port::Grpc), None);
}

/// Guarantees: a wrong profile is answered with the place, what is wrong and what would be right.
#[test]
fn errors_say_where_and_what() {
    let cases = [
        (
            "lisen: {}\n",
            "p.yaml:1:1: unknown key `lisen`",
            "did you mean `listen`?",
        ),
        (
            "journal:\n  windw: 5m\n",
            "p.yaml:2:3: unknown key `windw`",
            "did you mean `window`?",
        ),
        (
            "journal:\n  at_limit: drop\n",
            "p.yaml:2:13: unknown value `drop`",
            "known here: `push_back`, `drop_oldest`",
        ),
        (
            "journal:\n  window: 5 parsecs\n",
            "`5 parsecs` is not a length of time",
            "",
        ),
        ("journal:\n  max_bytes: lots\n", "`lots` is not a size", ""),
        ("listen:\n  grpc: nowhere\n", "p.yaml:2:9: ", ""),
        (
            "ship:\n  - otlp: { endpoint: http://h:1 }\n",
            "the key `name` is missing",
            "add `name:`",
        ),
        (
            "ship:\n  - name: a\n",
            "p.yaml:2:11: the destination `a` is not exactly one",
            "`otlp:`",
        ),
        (
            "ship:\n  - name: a\n    otlp: { endpoint: 'ftp://h' }\n",
            "neither http:// nor https://",
            "",
        ),
        (
            "journal: {max_bytes: 1MiB}\n",
            "is too small",
            "two segments",
        ),
        (
            "tls: { certs: a }\n",
            "p.yaml:1:8: unknown key `certs`",
            "did you mean `cert`?",
        ),
        (
            "tls: { cert: a }\n",
            "p.yaml:1:1: the TLS of `grpc` has no",
            "`tls.key`",
        ),
        (
            "tls: { cert: a, key: b, client_auth: required }\n",
            "`grpc` asks for client certificates, but no CA",
            "`tls.client_ca`",
        ),
        ("tls: { client_ca: a }\n", "no port has TLS", "`tls.cert`"),
        (
            "tls: { health: { enabled: true } }\n",
            "the TLS of `health` has no certificate",
            "",
        ),
        (
            "tls: { cert: a, key: b, min_version: '1.1' }\n",
            "unknown value `1.1`",
            "did you mean `1.2`? Known here: `1.2`, `1.3`",
        ),
        (
            "ship:\n  - name: a\n    otlp: { endpoint: 'https://h' }\n",
            "p.yaml:2:11: the destination `a` is https://, but names no CA",
            "tls: { ca: FILE }",
        ),
        (
            "ship:\n  - name: a\n    otlp: { endpoint: 'http://h', tls: { ca: x } }\n",
            "has `tls`, but is http://",
            "https://",
        ),
        (
            "ship:\n  - name: a\n    otlp: { endpoint: 'https://h', tls: { ca: x, cert: y } }\n",
            "a certificate without its key",
            "both",
        ),
        (
            "listen: { remote_sampling: '[::1]:5778' }\nincidents: { max_ttl: 1h, ttl: 2h }\n",
            "p.yaml:2:27: an incident of 2h",
            "`incidents.ttl` goes",
        ),
        (
            "incidents: { max_open: 13 }\n",
            "p.yaml:1:14: 13 open incidents",
            "from 1 to 12",
        ),
        (
            "incidents: { alertmanager: { max_per_day: 201 } }\n",
            "201 incidents a day",
            "`incidents.keep_closed`",
        ),
        (
            "remote_sampling: { services: { a: 1.5 } }\n",
            "a share of 1.5",
            "from 0 to 1",
        ),
        (
            "journal: { window: 1m }\nsampling:\n  wait: 1m\n  remember: 30s\n  policies: [{ name: a, type: error }]\n",
            "p.yaml:4:3: `sampling.remember` is 30s",
            "use 1m",
        ),
        (
            "sampling:\n  wait: 1m\n  remember: 90s\n  logs: with_trace\n  policies: [{ name: a, type: error }]\n",
            "p.yaml:3:3: `sampling.remember` is",
            "use 2m",
        ),
        (
            "ship: [{ name: a, file: { path: x } }]\nsampling:\n  policies:\n    - { name: a, type: latency }\n",
            "p.yaml:4:15: the sampling policy `a`",
            "",
        ),
        (
            "sampling:\n  policies:\n    - { name: a, type: eror }\n",
            "unknown value `eror`",
            "did you mean `error`?",
        ),
        (
            "sampling: { wait: 10s }\n",
            "p.yaml:1:1: `sampling` has no policies",
            "leave `sampling` out",
        ),
        ("listen: [\n", "p.yaml:", ""),
        ("journal: {window: 1m, window: 2m}\n", "p.yaml:1:", ""),
    ];
    for (text, message, hint) in cases {
        let error = parse("p.yaml", text).unwrap_err();
        assert!(error.to_string().contains(message), "{text:?} gave {error}");
        assert!(
            error.hint().unwrap_or("").contains(hint),
            "{text:?} hinted {:?}",
            error.hint()
        );
    }
}

/// Guarantees: no error repeats an endpoint's credentials.
#[test]
fn credentials_in_an_endpoint_are_refused_and_not_shown() {
    let text = "ship: [{ name: a, otlp: { endpoint: 'http://me:hunter2@host:1' } }]\n";
    let error = parse("p.yaml", text).unwrap_err();
    assert!(error.to_string().contains("credentials"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// Guarantees: a wrong target of notifications is answered with its place and what would be right.
#[test]
fn notification_targets_are_checked() {
    let file = "file: { path: /x }";
    for (target, line, words) in [
        ("{ name: a }", 3, "not exactly one thing"),
        (
            "{ name: a, file: { path: /x }, command: { run: [/x] } }",
            3,
            "not exactly one thing",
        ),
        (&format!("{{ name: Bad, {file} }}"), 3, "not a name"),
        (
            &format!("{{ name: a, events: [], {file} }}"),
            3,
            "told of nothing",
        ),
        (
            &format!("{{ name: a, events: ['stella.*x'], {file} }}"),
            3,
            "no type of event",
        ),
        (
            &format!("{{ name: a, {file} }}\n    - {{ name: a, {file} }}"),
            4,
            "two targets",
        ),
        (
            "{ name: a, smtp: { host: h, from: f, to: [t] } }",
            3,
            "names no CA",
        ),
        (
            "{ name: a, smtp: { host: h, from: f, to: [t], insecure: true, user: u } }",
            3,
            "without a password",
        ),
        ("{ name: a, webhok: {} }", 3, "unknown key"),
    ] {
        let text = format!("notify:\n  targets:\n    - {target}\n");
        let error = parse("site.yaml", &text).unwrap_err();
        assert!(error.to_string().contains(words), "{target}: {error}");
        let place = error.line_and_column().map(|(line, _)| line);
        assert_eq!(place, Some(line), "{target}: {error}");
    }
    let text = format!("notify: {{ targets: [{{ name: a, {file} }}] }}");
    let profile = parse("site.yaml", &text).unwrap();
    assert_eq!(profile.notify.targets[0].name.value.as_str(), "a");
}
