//! The conformance suite, and what only webhooks have: the signature.

use std::net::SocketAddr;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::Secret;

use super::{Config, SigningKey, encode};
use crate::config::{ConfigError, TargetKind};
use crate::conformance::every::{Site, event, wait_for};
use crate::conformance::http_world::HttpWorld;
use crate::conformance::{World, every_scenario};

/// Of the specification's own test.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn kind(addr: SocketAddr) -> TargetKind {
    TargetKind::Webhook(Config {
        url: format!("http://{addr}/hook/T0PSECRETPATH?key=s3cr3tquery")
            .parse()
            .unwrap(),
        keys: vec![SigningKey::parse(KEY).unwrap()],
        headers: vec![("x-token".to_owned(), Secret::new("hunter22hunter"))],
        tls: None,
    })
}

fn world() -> HttpWorld {
    HttpWorld::new(kind, |request| {
        request.json()["id"].as_str().unwrap().to_owned()
    })
}

every_scenario!(world());

/// Guarantees: the signature is that of Standard Webhooks' reference test.
#[test]
fn the_reference_vector() {
    let keys = [SigningKey::parse(KEY).unwrap()];
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let signature = encode::signature(&keys, id, 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let both = [keys[0].clone(), keys[0].clone()];
    let two = encode::signature(&both, id, 1, b"");
    assert_eq!(two.split(' ').count(), 2);
}

/// Guarantees: `openssl` computes the same signature of what arrives; what arrives is JSON with the
/// specification's keys, and the id is the event's, without dots.
#[tokio::test]
async fn openssl_verifies_what_arrives() {
    let world = world();
    let mut site = Site::new(world.kind());
    site.start();
    site.put(&event("inc.1:opened", "inc"));
    wait_for("the request", || !world.taken().is_empty()).await;
    let request = &world.requests()[0];
    let (id, time) = (
        request.header("webhook-id").unwrap(),
        request.header("webhook-timestamp").unwrap(),
    );
    assert!(!id.contains('.') && time.parse::<u64>().is_ok());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signed");
    let signed = [format!("{id}.{time}.").as_bytes(), &request.body].concat();
    std::fs::write(&file, signed).unwrap();
    let key = STANDARD.decode(&KEY["whsec_".len()..]).unwrap();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt"])
        .arg(format!("hexkey:{hex}"))
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success());
    let expected = format!("v1,{}", STANDARD.encode(output.stdout));
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    let json = request.json();
    assert_eq!(json["type"], "stella.incident.opened");
    assert!(json["timestamp"].is_string() && json["data"].is_object());
}

/// Guarantees: a target that asks to wait is left alone for that long.
#[tokio::test]
async fn retry_after_is_honoured() {
    let world = world();
    let mut site = Site::new(world.kind());
    world.answer("HTTP/1.1 429 no\r\nretry-after: 1800\r\ncontent-length: 0\r\n\r\n");
    site.start();
    site.put(&event("1", "inc"));
    wait_for("the attempt", || {
        let pending = site.list().pending;
        pending.first().is_some_and(|one| one.entry.attempts == 1)
    })
    .await;
    let entry = &site.list().pending[0].entry;
    let wait = entry.retry_at.unwrap().as_second() - entry.since.as_second();
    assert!((1799..3600).contains(&wait), "{wait}");
    assert!(world.taken().is_empty());
}

/// Guarantees: no secret is shown, though the other side repeats it.
#[tokio::test]
async fn secrets_are_not_shown() {
    let world = world();
    let mut site = Site::new(world.kind());
    world.answer("HTTP/1.1 400 no\r\nconnection: close\r\n\r\nECHO");
    site.start();
    site.put(&event("1", "inc"));
    wait_for("the refusal", || !site.list().dead.is_empty()).await;
    let said = site.list().dead[0].entry.last_error.clone().unwrap();
    assert!(said.contains("[secret]"), "{said}");
    let shown = format!("{said} {:?} {}", world.kind(), world.kind().describe());
    for secret in ["hunter22hunter", "T0PSECRETPATH", "s3cr3tquery", "MfKQ9r8"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Guarantees: a key that is none, or that others can read, is refused without being shown.
#[test]
fn keys_are_checked() {
    use std::os::unix::fs::PermissionsExt;
    for wrong in [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_c2hvcnQ=",
        "whsec_*",
    ] {
        let error = SigningKey::parse(wrong).unwrap_err().to_string();
        assert!(
            error.contains("hint:") && !error.contains("c2hvcnQ"),
            "{error}"
        );
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    let mode = |mode| std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode));
    mode(0o600).unwrap();
    assert!(SigningKey::read(file.path()).is_ok());
    mode(0o640).unwrap();
    let error = SigningKey::read(file.path()).unwrap_err();
    assert!(matches!(error, ConfigError::SecretFile { .. }), "{error}");
}
