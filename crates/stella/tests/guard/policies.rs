//! Policies in files: tightened for tenants, signed, and refused where they are wrong.

use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{BINARY, Holder, TAKEN, codes, send_each_way, tenants};
use minisign::KeyPair;
use testkit::process::Process;
use testkit::stella::{LISTEN, Stella};
use testkit::wait_for;

const SITE: &str = "\
version: 1
extends: default
patterns: [{ name: employee, regex: 'E[0-9]{6}' }]
rules: [{ name: staff, detect: [employee], action: mask }]
";

const STRICT: &str = "\
version: 1
patterns: [{ name: order, regex: 'order-[0-9]+' }]
rules: [{ name: orders, detect: [order], action: mask }]
";

fn put(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn redactions(stella: &Stella, tenant: &str, rule: &str) -> f64 {
    stella.series(&format!(
        "stella_guard_redactions_total{{rule=\"{rule}\",tenant=\"{tenant}\"}}"
    ))
}

/// How `up` ends that does not start: its exit code and what it said.
fn refused(folder: &Path, profile: &str) -> (Option<i32>, String) {
    let path = put(folder, "profile.yaml", &format!("{LISTEN}{profile}"));
    let log = folder.join("up.log");
    let _ = std::fs::remove_file(&log);
    let mut up = Command::new(BINARY);
    up.args(["telemetry", "up", "--profile", &path, "--data-dir"])
        .arg(folder.join("data"))
        .stdout(Stdio::null());
    let mut up = Process::start(&mut up, log);
    wait_for("the gateway not to start", || !up.runs());
    let code = up.child().wait().unwrap().code();
    (code, up.log())
}

/// Guarantees: REDACT-FIRST; the site's policy holds for every tenant, an overlay for its own alone
/// and on top of it; changes are counted by tenant and rule.
#[test]
fn an_overlay_tightens_for_its_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let site = put(folder.path(), "site.yaml", SITE);
    let strict = put(folder.path(), "strict.yaml", STRICT);
    let (acme, globex) = (Holder::new(), Holder::new());
    let profile = tenants(&[("acme", &acme), ("globex", &globex)])
        + &format!("redaction: {{ policy: {site}, tenants: {{ acme: {strict} }} }}\n");
    let stella = Stella::start(BINARY, &profile);
    let body = "E123456 has order-77 and writes to someone@mail.example-corp.com";
    for holder in [&acme, &globex] {
        let answers = send_each_way(&stella, &holder.headers(), body);
        assert_eq!(codes(&answers), TAKEN, "{answers:?}");
    }
    let (acmes, globexes) = (stella.dump_of("acme"), stella.dump_of("globex"));
    for dump in [&acmes, &globexes] {
        assert!(
            !dump.contains("E123456") && !dump.contains("someone@"),
            "{dump}"
        );
        assert_eq!(dump.matches(" has ").count(), 3, "{dump}");
    }
    assert!(!acmes.contains("order-77"), "{acmes}");
    assert_eq!(globexes.matches("order-77").count(), 3, "{globexes}");
    for tenant in ["acme", "globex"] {
        assert_eq!(redactions(&stella, tenant, "staff"), 3.0);
    }
    assert_eq!(redactions(&stella, "acme", "orders"), 3.0);
    assert_eq!(redactions(&stella, "globex", "orders"), 0.0);
    // What each rule of the shipped policy counts is its own; together it is one address each.
    assert_eq!(stella.metric("stella_guard_redactions_total"), 3.0 * 5.0);
}

/// Guarantees: a policy, an overlay or a key that is wrong is told with its place and a hint, and
/// the gateway does not start: exit code 3, nothing on the disk.
#[test]
fn wrong_policies_do_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| put(folder.path(), name, text);
    let typo = file(
        "typo.yaml",
        "version: 1\nrules:\n  - { name: a, detekt: [email], action: mask }\n",
    );
    let pattern = file(
        "pattern.yaml",
        "version: 1\npatterns: [{ name: a, regex: '(' }]\nrules: [{ name: a, detect: [a], action: mask }]\n",
    );
    let unknown = file("unknown.yaml", "version: 1\nextends: defualt\nrules: []\n");
    let keyless = file(
        "keyless.yaml",
        "version: 1\nrules: [{ name: a, keys: [x], action: hash }]\n",
    );
    let site = file("site.yaml", SITE);
    let loosening = file(
        "loosening.yaml",
        "version: 1\nrules: [{ name: free, keys: [user.email], action: keep }]\n",
    );
    let extending = file(
        "extending.yaml",
        "version: 1\nextends: default\nrules: []\n",
    );
    let short = file("short.key", "short");
    std::fs::set_permissions(&short, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let policy = |path: &str| format!("redaction: {{ policy: {path} }}\n");
    let overlay =
        |path: &str| format!("redaction: {{ policy: {site}, tenants: {{ acme: {path} }} }}\n");
    let cases = [
        ("unknown key", policy(&typo), "typo.yaml:3"),
        ("bad pattern", policy(&pattern), "pattern.yaml:2"),
        ("no such policy to extend", policy(&unknown), "defualt"),
        ("no such policy", policy("defualt"), "defualt"),
        (
            "no such file",
            policy("/no/such/policy.yaml"),
            "/no/such/policy.yaml",
        ),
        ("a hash without a key", policy(&keyless), "keyless.yaml:2"),
        (
            "a short key",
            format!("redaction: {{ key: '${{file:{short}}}' }}\n"),
            "redaction.key",
        ),
        (
            "no such key",
            "redaction: { key: '${file:/no/such/key}' }\n".to_owned(),
            "/no/such/key",
        ),
        (
            "a loosening overlay",
            overlay(&loosening),
            "loosening.yaml:2",
        ),
        (
            "an extending overlay",
            overlay(&extending),
            "extending.yaml:2",
        ),
        (
            "no such overlay",
            overlay("/no/such/overlay.yaml"),
            "/no/such/overlay.yaml",
        ),
        (
            "an overlay on nothing",
            format!("redaction: {{ enabled: false, tenants: {{ acme: {loosening} }} }}\n"),
            "redacts nothing",
        ),
    ];
    for (name, profile, place) in cases {
        let (code, errors) = refused(folder.path(), &profile);
        assert_eq!(code, Some(3), "{name}: {errors}");
        assert!(errors.contains(place), "{name}: {errors}");
        assert!(
            errors.contains("hint: ") || errors.contains("help: "),
            "{name}: {errors}"
        );
        assert!(!folder.path().join("data/journal").exists(), "{name}");
    }
}

/// Guarantees: with a public key a policy, what it extends and an overlay are taken only with a
/// good signature of minisign's; a missing, another's, or stale one refuses to start with exit
/// code 3.
#[test]
fn signed_policies_alone_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (
        KeyPair::generate_unencrypted_keypair().unwrap(),
        KeyPair::generate_unencrypted_keypair().unwrap(),
    );
    let sign = |keys: &KeyPair, text: &str| {
        let signed = minisign::sign(None, &keys.sk, Cursor::new(text), None, None);
        signed.unwrap().into_string()
    };
    let base = SITE;
    let own = "version: 1\nextends: base.yaml\nrules: [{ name: own, keys: [x], action: drop }]\n";
    let site = put(folder.path(), "site.yaml", own);
    put(folder.path(), "base.yaml", base);
    let strict = put(folder.path(), "strict.yaml", STRICT);
    let signature = |name: &str, text: &str| put(folder.path(), &format!("{name}.minisig"), text);
    let profile = format!(
        "redaction: {{ policy: {site}, public_key: {}, tenants: {{ default: {strict} }} }}\n",
        ours.pk.to_base64()
    );
    let all = [
        ("site.yaml", own),
        ("base.yaml", base),
        ("strict.yaml", STRICT),
    ];
    for (name, content) in all {
        let (code, errors) = refused(folder.path(), &profile);
        assert_eq!(code, Some(3), "{errors}");
        assert!(errors.contains(&format!("{name}.minisig")), "{errors}");
        assert!(errors.contains("hint: "), "{errors}");
        for (wrong, what) in [
            (sign(&others, content), "made with another key"),
            (sign(&ours, &format!("{content} ")), "does not fit"),
            ("no signature".to_owned(), "no minisign signature"),
        ] {
            signature(name, &wrong);
            let (code, errors) = refused(folder.path(), &profile);
            assert_eq!(code, Some(3), "{errors}");
            assert!(errors.contains(name) && errors.contains(what), "{errors}");
            assert!(errors.contains("hint: "), "{errors}");
        }
        signature(name, &sign(&ours, content));
    }
    let stella = Stella::start(BINARY, &profile);
    let answers = send_each_way(&stella, &[], "E123456 has order-77");
    assert_eq!(codes(&answers), TAKEN, "{answers:?}");
    let dump = stella.dump();
    assert!(
        !dump.contains("E123456") && !dump.contains("order-77"),
        "{dump}"
    );
    let bad_key = profile.replace(&ours.pk.to_base64(), "bm9uc2Vuc2U");
    let (code, errors) = refused(folder.path(), &bad_key);
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("public key"), "{errors}");
}
