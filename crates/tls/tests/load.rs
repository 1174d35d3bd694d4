//! What files are taken at all, and what is said of those that are not.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{Site, identity};
use testkit::openssl::{EC, RSA, Wanted, close, openssl, s_client};
use tls::{ClientAuth, Error, Identity, ServerFiles};

fn refusal(site: &Site, files: ServerFiles) -> Error {
    site.keeper.server("test", files).unwrap_err()
}

/// Guarantees: keys as PKCS#8, SEC1 and PKCS#1 are taken, and Ed25519 beside ECDSA and RSA.
#[test]
fn every_form_of_key_is_taken() {
    let site = Site::new();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let kinds: [(&str, &[&str], &[&str], &str); 5] = [
        ("ec-pkcs8", EC, &["pkey"], "BEGIN PRIVATE KEY"),
        ("ec-sec1", EC, &["ec"], "BEGIN EC PRIVATE KEY"),
        ("rsa-pkcs8", RSA, &["pkey"], "BEGIN PRIVATE KEY"),
        (
            "rsa-pkcs1",
            RSA,
            &["rsa", "-traditional"],
            "BEGIN RSA PRIVATE KEY",
        ),
        (
            "ed25519",
            &["-algorithm", "ED25519"],
            &["pkey"],
            "BEGIN PRIVATE KEY",
        ),
    ];
    for (name, key, form, begins) in kinds {
        let pair = site.ca.issue(&Wanted {
            key,
            ..Wanted::server(name)
        });
        let out = site.path(name);
        let (from, to) = (text(&pair.key), text(&out));
        openssl(&[form, &["-in", &from, "-out", &to]].concat());
        close(&out);
        assert!(std::fs::read_to_string(&out).unwrap().contains(begins));
        let mut files = site.files(&pair, ClientAuth::Off);
        files.identity.key = out;
        let addr = site.serve_files(files);
        let ca = text(&site.ca.ca());
        let arguments = ["-CAfile", &ca, "-verify_return_error"];
        let text = s_client(addr, &arguments, "end\n");
        assert!(
            text.contains("Verify return code: 0 (ok)"),
            "{name}: {text}"
        );
        assert!(text.contains("end by nobody"), "{name}: {text}");
    }
}

/// Guarantees: a key that others can read is not used, and the error says what to do.
#[test]
fn a_key_that_others_can_read_is_refused() {
    let site = Site::new();
    let pair = site.ca.issue(&Wanted::server("server"));
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&pair.key, mode).unwrap();
    let error = refusal(&site, site.files(&pair, ClientAuth::Off));
    assert!(matches!(error, Error::Permissions { mode: 0o644, .. }));
    let hint = format!("hint: chmod 0600 {}", pair.key.display());
    assert!(error.to_string().contains(&hint), "{error}");
    // Not through a link either.
    let link = site.path("link");
    std::os::unix::fs::symlink(&pair.key, &link).unwrap();
    let mut files = site.files(&pair, ClientAuth::Off);
    files.identity.key = link;
    assert!(matches!(refusal(&site, files), Error::Permissions { .. }));
}

/// Guarantees: a certificate with another's key, a file of another kind, an encrypted key, and
/// what makes no sense together are refused, each with a hint, none quoting a key.
#[test]
fn what_cannot_be_used_is_refused_with_a_hint() {
    let site = Site::new();
    let (one, two) = (
        site.ca.issue(&Wanted::server("one")),
        site.ca.issue(&Wanted::server("two")),
    );
    let good = site.files(&one, ClientAuth::Required);
    let with = |cert: &Path, key: &Path| ServerFiles {
        identity: Identity {
            cert: cert.to_owned(),
            key: key.to_owned(),
        },
        ..good.clone()
    };
    let encrypted = site.path("encrypted.key");
    openssl(&[
        "pkey",
        "-in",
        one.key.to_str().unwrap(),
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        encrypted.to_str().unwrap(),
    ]);
    close(&encrypted);
    let broken = site.path("broken.key");
    let key = std::fs::read_to_string(&one.key).unwrap();
    let secret = key.lines().nth(1).unwrap();
    std::fs::write(&broken, format!("-----BEGIN {secret}\n{secret}\n")).unwrap();
    close(&broken);
    let no_ca = ServerFiles {
        client_ca: None,
        ..good.clone()
    };
    let crl_for_nobody = ServerFiles {
        client_auth: ClientAuth::Off,
        crls: vec![site.path("x")],
        ..good.clone()
    };
    let wrong_crl = ServerFiles {
        crls: vec![one.cert.clone()],
        ..good.clone()
    };
    let key_as_ca = ServerFiles {
        client_ca: Some(one.key.clone()),
        ..good.clone()
    };
    for (files, what) in [
        (
            with(&one.cert, &two.key),
            "does not belong to the certificate",
        ),
        (with(&one.key, &one.key), "holds no certificate"),
        (
            with(&one.cert, &one.cert),
            "can be read or changed by others",
        ),
        (with(&one.cert, &encrypted), "holds no private key"),
        (with(&one.cert, &broken), "holds no private key"),
        (with(&site.path("none"), &one.key), "cannot be read"),
        (with(site.folder.path(), &one.key), "not a regular file"),
        (no_ca, "no CA is named"),
        (crl_for_nobody, "no client certificates are asked for"),
        (wrong_crl, "holds no revocation list"),
        (key_as_ca, "holds no certificate"),
    ] {
        let text = refusal(&site, files).to_string();
        assert!(text.contains(what), "{what}: {text}");
        assert!(text.contains("\nhint: "), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(good.identity, identity(&one));
    assert!(site.keeper.server("test", good).is_ok());
}

/// Guarantees (SEALED-EGRESS): this crate opens no socket; it is given streams.
#[test]
fn no_source_opens_sockets() {
    let src = "src";
    let mut seen = 0;
    for entry in std::fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        seen += 1;
        for word in [
            "TcpStream",
            "TcpSocket",
            "UdpSocket",
            "UnixStream",
            "std::net",
            "tokio::net",
        ] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
    assert!(seen > 10, "only {seen} sources were read");
}
