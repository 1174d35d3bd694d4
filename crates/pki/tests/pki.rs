//! What the CA makes, read and verified by openssl.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use pki::{Entry, Error, Holder, Issued, Lifetime, Pki, Renewal, State};
use testkit::openssl::openssl;
use time::{Duration, OffsetDateTime};

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn life(days: u32) -> Lifetime {
    Lifetime { now: now(), days }
}

fn client(name: &str) -> Holder {
    Holder::Client {
        tenant: "acme".parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

fn server() -> Holder {
    Holder::Server {
        dns: vec![
            "gateway.site.example".to_owned(),
            "*.edge.example".to_owned(),
        ],
        ips: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
    }
}

fn made(folder: &Path) -> Pki {
    let pki = Pki::at(folder.join("pki"));
    let domain = "site.example".parse().unwrap();
    pki.init(&domain, life(3650), 90, false).unwrap();
    pki
}

/// Whether `openssl verify` takes it, and what it says.
fn verify(pki: &Pki, arguments: &[&str], cert: &Path) -> (bool, String) {
    let output = Command::new("openssl")
        .arg("verify")
        .args(["-x509_strict", "-CAfile", pki.ca().to_str().unwrap()])
        .args(arguments)
        .arg(cert)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn text(cert: &Path) -> String {
    openssl(&["x509", "-noout", "-text", "-in", cert.to_str().unwrap()])
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The public key in a certificate and in a key file.
fn same_key(issued: &Issued) -> bool {
    let cert = issued.cert.to_str().unwrap();
    let key = issued.key.to_str().unwrap();
    openssl(&["x509", "-noout", "-pubkey", "-in", cert])
        == openssl(&["pkey", "-pubout", "-in", key])
}

/// Guarantees (VERIFY-WITHOUT-US): openssl, told to be strict, takes the CA and what it issues for
/// what it is for, and for nothing else; keys and folders are closed to others.
#[test]
fn openssl_takes_what_is_issued() {
    let dir = tempfile::tempdir().unwrap();
    let pki = made(dir.path());
    let unlocked = pki.unlock().unwrap();
    let sender = unlocked.issue(&client("scanner"), life(90), false).unwrap();
    let gateway = unlocked.issue(&server(), life(90), false).unwrap();

    for (issued, purpose, other) in [
        (&sender, "sslclient", "sslserver"),
        (&gateway, "sslserver", "sslclient"),
    ] {
        let (good, said) = verify(&pki, &["-purpose", purpose], &issued.cert);
        assert!(good, "{said}");
        let (good, said) = verify(&pki, &["-purpose", other], &issued.cert);
        assert!(!good, "{said}");
        assert!(same_key(issued));
        assert_eq!(mode(&issued.key), 0o600);
        assert_eq!(mode(issued.cert.parent().unwrap()), 0o700);
        let said = text(&issued.cert);
        assert!(said.contains("NIST CURVE: P-256"), "{said}");
        assert!(said.contains("CA:FALSE"), "{said}");
    }
    assert!(text(&sender.cert).contains("URI:spiffe://site.example/tenant/acme/scanner"));
    for arguments in [
        ["-verify_hostname", "gateway.site.example"],
        ["-verify_hostname", "one.edge.example"],
        ["-verify_ip", "127.0.0.1"],
        ["-verify_ip", "::1"],
    ] {
        let (good, said) = verify(&pki, &arguments, &gateway.cert);
        assert!(good, "{arguments:?}: {said}");
    }
    assert!(!verify(&pki, &["-verify_hostname", "site.example"], &gateway.cert).0);
    assert_eq!(mode(&dir.path().join("pki/ca.key")), 0o600);
    assert_eq!(mode(&dir.path().join("pki")), 0o700);
    let said = text(&pki.ca());
    assert!(said.contains("CA:TRUE, pathlen:0"), "{said}");
    assert!(said.contains("Certificate Sign, CRL Sign"), "{said}");
}

/// Guarantees: nothing is written over unless told to, neither a CA nor a certificate.
#[test]
fn nothing_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let pki = made(dir.path());
    let before = std::fs::read(pki.ca()).unwrap();
    let domain = "other.example".parse().unwrap();
    let again = pki.init(&domain, life(1), 90, false);
    assert!(matches!(again, Err(Error::Exists(_))));
    assert_eq!(std::fs::read(pki.ca()).unwrap(), before);

    let unlocked = pki.unlock().unwrap();
    let first = unlocked.issue(&client("a"), life(90), false).unwrap();
    let key = std::fs::read(&first.key).unwrap();
    let again = unlocked.issue(&client("a"), life(90), false);
    assert!(matches!(again, Err(Error::Exists(_))));
    assert_eq!(std::fs::read(&first.key).unwrap(), key);
    let forced = unlocked.issue(&client("a"), life(90), true).unwrap();
    assert_ne!(std::fs::read(&forced.key).unwrap(), key);
    assert!(same_key(&forced));
}

/// Guarantees: renewing keeps names and length, makes a new key unless told, and takes nothing
/// that another CA issued.
#[test]
fn renewing_keeps_names() {
    let dir = tempfile::tempdir().unwrap();
    let pki = made(dir.path());
    let unlocked = pki.unlock().unwrap();
    for holder in [client("a"), server()] {
        let first = unlocked.issue(&holder, life(40), false).unwrap();
        let (key, serial) = (std::fs::read(&first.key).unwrap(), serial(&first.cert));
        let renewal = Renewal {
            now: now(),
            days: None,
            keep_key: true,
        };
        let kept = unlocked.renew(&first.cert, renewal).unwrap();
        assert_eq!((&kept.names, &kept.cert), (&first.names, &first.cert));
        assert_eq!(std::fs::read(&kept.key).unwrap(), key);
        assert_ne!(crate::serial(&kept.cert), serial);
        let left = (kept.not_after - now()).whole_hours();
        assert!((39 * 24..=40 * 24).contains(&left), "{left}");

        let renewal = Renewal {
            keep_key: false,
            days: Some(5),
            ..renewal
        };
        let fresh = unlocked.renew(&first.cert, renewal).unwrap();
        assert_eq!(fresh.names, first.names);
        assert_ne!(std::fs::read(&fresh.key).unwrap(), key);
        assert!(same_key(&fresh));
        assert!(verify(&pki, &[], &fresh.cert).0);
        assert!(fresh.not_after - now() <= Duration::days(5));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let other = made(elsewhere.path());
    let foreign = other.unlock().unwrap();
    let foreign = foreign.issue(&client("a"), life(9), false).unwrap();
    let renewal = Renewal {
        now: now(),
        days: None,
        keep_key: false,
    };
    assert!(matches!(
        unlocked.renew(&foreign.cert, renewal),
        Err(Error::Foreign(_))
    ));
    assert!(matches!(
        unlocked.revoke(&foreign.cert, life(9)),
        Err(Error::Foreign(_))
    ));
    assert!(matches!(
        unlocked.renew(&pki.ca(), renewal),
        Err(Error::Foreign(_))
    ));
}

/// Guarantees: openssl refuses what was revoked by the list that is written, and only that; lists
/// build on each other and count up.
#[test]
fn openssl_refuses_what_was_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let pki = made(dir.path());
    let unlocked = pki.unlock().unwrap();
    let [a, b, c] =
        ["a", "b", "c"].map(|name| unlocked.issue(&client(name), life(90), false).unwrap());
    let crl = pki.crl();
    let with_list = ["-crl_check", "-CRLfile", crl.to_str().unwrap()];
    let good = |issued: &Issued| verify(&pki, &with_list, &issued.cert);
    assert!(good(&a).0, "{}", good(&a).1);
    unlocked.revoke(&a.cert, life(90)).unwrap();
    unlocked.revoke(&b.cert, life(90)).unwrap();
    unlocked.revoke(&a.cert, life(90)).unwrap();
    for revoked in [&a, &b] {
        let (taken, said) = good(revoked);
        assert!(!taken && said.contains("certificate revoked"), "{said}");
    }
    assert!(good(&c).0);
    assert_eq!(unlocked.refresh_list(life(90)).unwrap(), 2);
    let said = openssl(&["crl", "-noout", "-text", "-in", crl.to_str().unwrap()]);
    assert_eq!(said.matches("Serial Number:").count(), 2, "{said}");
    assert!(
        said.contains("X509v3 CRL Number: \n                5"),
        "{said}"
    );
    let renewal = Renewal {
        now: now(),
        days: None,
        keep_key: false,
    };
    assert!(matches!(
        unlocked.renew(&a.cert, renewal),
        Err(Error::Revoked(_))
    ));
    // A list that was changed is not built on.
    let mut bytes = std::fs::read(&crl).unwrap();
    let other = openssl(&["crl", "-outform", "PEM", "-in", crl.to_str().unwrap()]);
    assert_eq!(other.as_bytes(), bytes.as_slice());
    let at = bytes.len() - 40;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&crl, bytes).unwrap();
    assert!(matches!(
        unlocked.revoke(&c.cert, life(90)),
        Err(Error::Content { .. })
    ));
}

/// Guarantees: no certificate outlives its CA, and an expired CA issues none.
#[test]
fn nothing_outlives_the_ca() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::at(dir.path().join("pki"));
    let domain = "site.example".parse().unwrap();
    let ca = pki.init(&domain, life(10), 90, false).unwrap();
    let unlocked = pki.unlock().unwrap();
    let issued = unlocked.issue(&client("a"), life(90), false).unwrap();
    assert_eq!(
        issued.not_after.unix_timestamp(),
        ca.not_after.unix_timestamp()
    );
    let later = Lifetime {
        now: now() + Duration::days(11),
        days: 90,
    };
    let late = unlocked.issue(&client("b"), later, false);
    assert!(matches!(late, Err(Error::Expired)));
}

/// Guarantees: what there is is shown with its state, whatever that is.
#[test]
fn states_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let pki = made(dir.path());
    assert!(matches!(
        Pki::at(dir.path().join("none")).show(now()),
        Err(Error::NoAuthority(_))
    ));
    let unlocked = pki.unlock().unwrap();
    for (name, days) in [("fine", 90), ("short", 29), ("bad", 90)] {
        unlocked.issue(&client(name), life(days), false).unwrap();
    }
    unlocked.issue(&server(), life(60), false).unwrap();
    let path = |name: &str| dir.path().join(format!("pki/clients/acme/{name}.pem"));
    unlocked.revoke(&path("bad"), life(90)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = made(elsewhere.path()).unlock().unwrap();
    let foreign = other.issue(&client("x"), life(90), false).unwrap();
    std::fs::copy(foreign.cert, path("foreign")).unwrap();
    let states = |at| -> Vec<(String, State)> {
        let name = |entry: &Entry| entry.path.file_stem().unwrap().to_str().unwrap().to_owned();
        let entries = pki.show(at).unwrap();
        let each = entries.iter().map(|entry| (name(entry), entry.state));
        each.collect()
    };
    let named = |all: &[(&str, State)]| -> Vec<(String, State)> {
        let each = all.iter().map(|(name, state)| ((*name).to_owned(), *state));
        each.collect()
    };
    let expected = |gateway, fine, short| {
        named(&[
            ("ca", State::Good),
            ("gateway.site.example", gateway),
            ("bad", State::Revoked),
            ("fine", fine),
            ("foreign", State::Foreign),
            ("short", short),
        ])
    };
    assert_eq!(
        states(now()),
        expected(State::Good, State::Good, State::Expiring)
    );
    let later = now() + Duration::days(61);
    let all = expected(State::Expired, State::Expiring, State::Expired);
    assert_eq!(states(later), all);
    let before = now() - Duration::days(1);
    assert_eq!(states(before)[3].1, State::NotYetValid);
}

fn serial(cert: &Path) -> String {
    openssl(&["x509", "-noout", "-serial", "-in", cert.to_str().unwrap()])
}
