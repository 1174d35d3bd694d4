//! Files that change under open connections.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::path::Path;

use common::{Site, Talk, fingerprint, identity, show};
use testkit::openssl::{Pair, Wanted, close, s_client};
use testkit::wait_for;
use tls::{ClientAuth, Identity, ServerFiles};

/// The files that a server is told to use, which others are put under.
struct Mounted {
    identity: Identity,
}

impl Mounted {
    fn at(cert: &Path, key: &Path) -> Self {
        Mounted {
            identity: Identity {
                cert: cert.to_owned(),
                key: key.to_owned(),
            },
        }
    }

    fn files(&self, site: &Site, client_auth: ClientAuth) -> ServerFiles {
        ServerFiles {
            identity: self.identity.clone(),
            ..site.files(
                &Pair {
                    cert: self.identity.cert.clone(),
                    key: self.identity.key.clone(),
                },
                client_auth,
            )
        }
    }
}

/// The certificate that a new connection is shown, as openssl sees it.
fn shown(site: &Site, addr: std::net::SocketAddr) -> String {
    let text = s_client(addr, &[], "end\n");
    let from = text.find("-----BEGIN CERTIFICATE-----").unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let to = text.find(end).unwrap() + end.len();
    let file = site.path("shown.pem");
    std::fs::write(&file, &text[from..to]).unwrap();
    fingerprint(&file)
}

fn copy(from: &Pair, to: &Identity) {
    // The key first, so that a look may fall between the two.
    std::fs::write(&to.key, std::fs::read(&from.key).unwrap()).unwrap();
    close(&to.key);
    std::fs::write(&to.cert, std::fs::read(&from.cert).unwrap()).unwrap();
}

/// Each way of changing files: an open connection goes on, a new one is shown the new certificate.
fn changes(site: &Site, mounted: &Mounted, pairs: &[Pair], mut change: impl FnMut(&Pair)) {
    change(&pairs[0]);
    let addr = site.serve_files(mounted.files(site, ClientAuth::Off));
    let mut open = Talk::open(addr, &[]);
    assert_eq!(open.say("before"), "before by nobody\n");
    assert_eq!(shown(site, addr), fingerprint(&pairs[0].cert));
    for pair in &pairs[1..] {
        change(pair);
        // Seen once is not enough.
        site.keeper.look();
        site.keeper.look();
        assert_eq!(shown(site, addr), fingerprint(&pair.cert));
        assert_eq!(open.say("after"), "after by nobody\n");
    }
    let reloads = site.sum("stella_tls_reloads_total", "result=\"ok\"");
    assert_eq!(reloads as usize, pairs.len() - 1);
    assert_eq!(site.sum("stella_tls_files_unusable", "test"), 0.0);
}

fn three(site: &Site) -> Vec<Pair> {
    ["one", "two", "three"]
        .map(|name| site.ca.issue(&Wanted::server(name)))
        .to_vec()
}

/// Guarantees: files that are written over in place take effect without dropping a connection.
#[test]
fn rewritten_in_place() {
    let site = Site::new();
    let pairs = three(&site);
    let mounted = Mounted::at(&site.path("tls.crt"), &site.path("tls.key"));
    changes(&site, &mounted, &pairs, |pair| {
        copy(pair, &mounted.identity)
    });
}

/// Guarantees: so do files that others are renamed over.
#[test]
fn renamed_over() {
    let site = Site::new();
    let pairs = three(&site);
    let mounted = Mounted::at(&site.path("tls.crt"), &site.path("tls.key"));
    changes(&site, &mounted, &pairs, |pair| {
        let fresh = Identity {
            cert: site.path("tls.crt.new"),
            key: site.path("tls.key.new"),
        };
        copy(pair, &fresh);
        std::fs::rename(&fresh.key, &mounted.identity.key).unwrap();
        std::fs::rename(&fresh.cert, &mounted.identity.cert).unwrap();
    });
}

/// Guarantees: so does a mounted secret, where a link further up the path (`..data`) is turned to
/// another folder and the named files never change themselves.
#[test]
fn a_link_further_up_is_turned() {
    let site = Site::new();
    let pairs = three(&site);
    let volume = site.path("volume");
    std::fs::create_dir(&volume).unwrap();
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, volume.join(name)).unwrap();
    };
    link("..data/tls.crt", "tls.crt");
    link("..data/tls.key", "tls.key");
    let mounted = Mounted::at(&volume.join("tls.crt"), &volume.join("tls.key"));
    let mut turn = 0;
    changes(&site, &mounted, &pairs, |pair| {
        turn += 1;
        let name = format!("..{turn}");
        let folder = volume.join(&name);
        std::fs::create_dir(&folder).unwrap();
        let target = Identity {
            cert: folder.join("tls.crt"),
            key: folder.join("tls.key"),
        };
        copy(pair, &target);
        link(&name, "..data_tmp");
        std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    });
}

/// Guarantees: the keeper's own task does the looking.
#[test]
fn the_keeper_looks_by_itself() {
    let site = Site::new();
    let pairs = three(&site);
    let mounted = Mounted::at(&site.path("tls.crt"), &site.path("tls.key"));
    copy(&pairs[0], &mounted.identity);
    let addr = site.serve_files(mounted.files(&site, ClientAuth::Off));
    let keeper = site.keeper.clone();
    let stop = tokio_util::sync::CancellationToken::new();
    let running = site.runtime.spawn({
        let stop = stop.clone();
        async move { keeper.run(stop).await }
    });
    copy(&pairs[1], &mounted.identity);
    wait_for("the new certificate", || {
        site.keeper.hurry();
        shown(&site, addr) == fingerprint(&pairs[1].cert)
    });
    stop.cancel();
    site.runtime.block_on(running).unwrap();
}

/// Guarantees: files that cannot be used change nothing, whatever is wrong with them, and say so
/// in a metric once for each change; good ones after them are taken.
#[test]
fn bad_files_change_nothing() {
    let site = Site::new();
    let pairs = three(&site);
    let mounted = Mounted::at(&site.path("tls.crt"), &site.path("tls.key"));
    let at = &mounted.identity;
    copy(&pairs[0], at);
    let addr = site.serve_files(mounted.files(&site, ClientAuth::Off));
    let mut open = Talk::open(addr, &[]);
    let pem = std::fs::read(&pairs[0].cert).unwrap();
    let half = || std::fs::write(&at.cert, &pem[..pem.len() / 2]).unwrap();
    let empty = || std::fs::write(&at.cert, "").unwrap();
    let other_key = || {
        std::fs::write(&at.cert, &pem).unwrap();
        std::fs::write(&at.key, std::fs::read(&pairs[1].key).unwrap()).unwrap();
    };
    let gone = || std::fs::remove_file(&at.key).unwrap();
    let open_to_all = || {
        use std::os::unix::fs::PermissionsExt;
        copy(&pairs[0], at);
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&at.key, mode).unwrap();
    };
    let bad: [&dyn Fn(); 5] = [&half, &empty, &other_key, &gone, &open_to_all];
    for (count, change) in bad.iter().enumerate() {
        change();
        site.look_twice();
        site.look_twice();
        let refused = site.sum("stella_tls_reloads_total", "result=\"failed\"");
        assert_eq!(refused as usize, count + 1, "change {count}");
        assert_eq!(site.sum("stella_tls_files_unusable", "test"), 1.0);
        assert_eq!(shown(&site, addr), fingerprint(&pairs[0].cert));
        assert_eq!(open.say("still"), "still by nobody\n");
    }
    copy(&pairs[2], at);
    site.look_twice();
    assert_eq!(shown(&site, addr), fingerprint(&pairs[2].cert));
    assert_eq!(site.sum("stella_tls_files_unusable", "test"), 0.0);
}

/// Guarantees: a sender that is revoked loses its open connection at the next look; others, of the
/// same CA, keep theirs.
#[test]
fn revocation_reaches_open_connections() {
    let site = Site::new();
    let crl = site.path("ca.crl");
    site.ca.write_crl(&crl);
    let [good, bad] = ["good", "bad"].map(|name| {
        site.ca
            .issue(&Wanted::client(name, "URI:spiffe://site/tenant/acme/x"))
    });
    let pair = site.ca.issue(&Wanted::server("server"));
    let addr = site.serve_files(ServerFiles {
        crls: vec![crl.clone()],
        ..site.files(&pair, ClientAuth::Required)
    });
    let mut talks = [&good, &bad].map(|pair| Talk::open(addr, &show(pair)));
    for talk in &mut talks {
        assert!(talk.say("hello").starts_with("hello by ["));
    }
    site.ca.revoke(&bad.cert);
    site.ca.write_crl(&crl);
    site.look_twice();
    let [good_talk, bad_talk] = &mut talks;
    assert_eq!(bad_talk.hear(), "distrusted: revoked\n");
    assert!(good_talk.say("still").starts_with("still by ["));
}

/// Guarantees: a CA that is taken out takes its senders' open connections with it.
#[test]
fn a_ca_that_is_taken_out_takes_its_senders_with_it() {
    let site = Site::new();
    let other = testkit::openssl::Authority::root(&site.path("other"));
    let bundle = site.path("bundle.pem");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    std::fs::write(&bundle, read(&site.ca.ca()) + &read(&other.ca())).unwrap();
    let pair = site.ca.issue(&Wanted::server("server"));
    let addr = site.serve_files(ServerFiles {
        client_ca: Some(bundle.clone()),
        ..site.files(&pair, ClientAuth::Required)
    });
    let sender = other.issue(&Wanted::client("sender", "URI:spiffe://site/tenant/acme/x"));
    let mut talk = Talk::open(addr, &show(&sender));
    assert!(talk.say("hello").starts_with("hello by ["));
    std::fs::write(&bundle, read(&site.ca.ca())).unwrap();
    site.look_twice();
    assert_eq!(talk.hear(), "distrusted: unknown_ca\n");
}

/// Guarantees: when certificates, CAs and lists expire is a metric, of the files in use.
#[test]
fn expiry_is_a_metric() {
    let site = Site::new();
    let crl = site.path("ca.crl");
    site.ca.write_crl(&crl);
    let wanted = Wanted {
        to: "20300102030405Z",
        ..Wanted::server("server")
    };
    let pair = site.ca.issue(&wanted);
    let mounted = identity(&pair);
    site.serve_files(ServerFiles {
        crls: vec![crl],
        ..site.files(&pair, ClientAuth::Required)
    });
    let name = "stella_tls_certificate_expiry_timestamp_seconds";
    let at = |kind: &str| site.sum(name, &format!("kind=\"{kind}\""));
    assert_eq!(at("certificate"), 1_893_553_445.0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let day = 86_400.0;
    assert!((at("ca") - now - 3650.0 * day).abs() < day);
    assert!((at("crl") - now - 30.0 * day).abs() < day);
    let later = Wanted {
        name: "later",
        to: "20310102030405Z",
        ..wanted
    };
    copy(&site.ca.issue(&later), &mounted);
    site.look_twice();
    assert_eq!(at("certificate"), 1_925_089_445.0);
}
