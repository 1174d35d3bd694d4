//! Who is let in and who is not, with openssl at the other end.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

mod common;

use common::{Site, Talk, fingerprint, show};
use testkit::openssl::{Authority, EC, RSA, Wanted, openssl, s_client, self_signed};
use testkit::wait_for;
use tls::{ClientAuth, MinVersion};

const SPIFFE: &str = "URI:spiffe://site/tenant/acme/scanner";

/// Says one line as the holder of a certificate of `authority`.
fn try_with(addr: std::net::SocketAddr, authority: &Authority, wanted: &Wanted<'_>) -> String {
    let pair = authority.issue(wanted);
    s_client(addr, &show(&pair), "end\n")
}

/// Guarantees: a certificate of a known CA is let in over TLS 1.2 and 1.3, and its names and its
/// fingerprint are those that openssl reads in it.
#[test]
fn a_known_sender_is_let_in_with_its_names() {
    let site = Site::new();
    let addr = site.serve(ClientAuth::Required);
    let names = format!("{SPIFFE},DNS:scanner.acme,email:ops@acme.example");
    for (name, key) in [("ec", EC), ("rsa", RSA)] {
        let wanted = Wanted {
            key,
            ..Wanted::client(name, &names)
        };
        let pair = site.ca.issue(&wanted);
        for version in ["-tls1_2", "-tls1_3"] {
            let mut arguments = show(&pair).to_vec();
            arguments.push(version);
            let text = s_client(addr, &arguments, "end\n");
            let who = format!(
                "end by [\"spiffe://site/tenant/acme/scanner\"] {}",
                fingerprint(&pair.cert)
            );
            assert!(text.contains(&who), "{version} {name}: {text}");
        }
    }
    assert_eq!(site.sum("stella_tls_handshakes_total", "test") as u64, 4);
}

/// Guarantees: certificates that are expired, not valid yet, self-signed, of another CA or for
/// another use are refused in the handshake and counted, each by its own reason.
#[test]
fn wrong_certificates_are_refused_and_counted() {
    let site = Site::new();
    let addr = site.serve(ClientAuth::Required);
    let other = Authority::root(&site.path("other"));
    // Another key under the name of the CA that is trusted.
    let impostor = Authority::root(&site.path("impostor/ca"));
    let good = Wanted::client("good", SPIFFE);
    let expired = Wanted {
        name: "expired",
        to: "20210101000000Z",
        ..good.clone()
    };
    let early = Wanted {
        name: "early",
        from: "20980101000000Z",
        ..good.clone()
    };
    let server = Wanted {
        name: "a-server",
        usage: "serverAuth",
        ..good.clone()
    };
    for (authority, wanted, reason) in [
        (&site.ca, &expired, "expired"),
        (&site.ca, &early, "not_yet_valid"),
        (&other, &good, "unknown_ca"),
        (&impostor, &good, "bad_signature"),
        (&site.ca, &server, "bad_certificate"),
    ] {
        let text = try_with(addr, authority, wanted);
        assert!(!text.contains("end by"), "{reason}: {text}");
        assert!(text.contains("alert"), "{reason}: {text}");
        assert_eq!(site.failures(reason), 1, "{reason}: {text}");
    }
    let own = self_signed(site.folder.path(), "own");
    assert!(!s_client(addr, &show(&own), "end\n").contains("end by"));
    assert_eq!(site.failures("unknown_ca"), 2);
    assert_eq!(site.sum("stella_tls_handshakes_total", "test"), 0.0);
}

/// Guarantees: without a certificate nobody is let in where one is required; where it is optional
/// everybody is, except with a wrong one.
#[test]
fn required_and_optional_mean_what_they_say() {
    let site = Site::new();
    let addr = site.serve(ClientAuth::Required);
    let text = s_client(addr, &[], "end\n");
    assert!(!text.contains("end by"), "{text}");
    assert!(text.contains("certificate required"), "{text}");
    assert_eq!(site.failures("no_certificate"), 1);

    let pair = site.ca.issue(&Wanted::server("other-server"));
    let addr = site.serve_files(site.files(&pair, ClientAuth::Optional));
    assert!(s_client(addr, &[], "end\n").contains("end by nobody"));
    let text = try_with(addr, &site.ca, &Wanted::client("good", SPIFFE));
    assert!(text.contains("tenant/acme/scanner"), "{text}");
    let stranger = Authority::root(&site.path("stranger"));
    let text = try_with(addr, &stranger, &Wanted::client("good", SPIFFE));
    assert!(!text.contains("end by"), "{text}");
    assert_eq!(site.failures("unknown_ca"), 1);
}

/// Guarantees: TLS 1.0 and 1.1 are refused even to a client that insists, and so is 1.2 where 1.3
/// is the oldest.
#[test]
fn old_versions_are_refused() {
    let site = Site::new();
    let pair = site.ca.issue(&Wanted::server("server"));
    let addr = site.serve_files(site.files(&pair, ClientAuth::Off));
    let weak = "DEFAULT@SECLEVEL=0";
    for version in ["-tls1", "-tls1_1"] {
        let text = s_client(addr, &[version, "-cipher", weak], "end\n");
        assert!(!text.contains("end by"), "{version}: {text}");
        // That it was the server: openssl itself got as far as an alert.
        assert!(text.contains("SSL alert number"), "{version}: {text}");
    }
    assert_eq!(site.failures("incompatible"), 2);
    let files = tls::ServerFiles {
        min_version: MinVersion::Tls13,
        ..site.files(&pair, ClientAuth::Off)
    };
    let addr = site.serve_files(files);
    assert!(!s_client(addr, &["-tls1_2"], "end\n").contains("end by"));
    assert!(s_client(addr, &["-tls1_3"], "end\n").contains("end by"));
    assert_eq!(site.failures("incompatible"), 3);
}

/// Guarantees: a revoked certificate is refused, of a root and of an intermediate CA; an issuer
/// without a list has its certificates refused once there are lists; a revoked intermediate CA
/// takes its certificates with it.
#[test]
fn revoked_certificates_are_refused() {
    let site = Site::new();
    let below = site.ca.intermediate(&site.path("below"));
    let chain = |pair: &testkit::openssl::Pair| {
        let mut text = std::fs::read_to_string(&pair.cert).unwrap();
        text.push_str(&std::fs::read_to_string(below.ca()).unwrap());
        std::fs::write(&pair.cert, text).unwrap();
    };
    let crls = [site.path("root.crl"), site.path("below.crl")];
    let good = site.ca.issue(&Wanted::client("good", SPIFFE));
    let bad = site.ca.issue(&Wanted::client("bad", SPIFFE));
    let good_below = below.issue(&Wanted::client("good-below", SPIFFE));
    let bad_below = below.issue(&Wanted::client("bad-below", SPIFFE));
    site.ca.revoke(&bad.cert);
    below.revoke(&bad_below.cert);
    chain(&good_below);
    chain(&bad_below);
    site.ca.write_crl(&crls[0]);
    below.write_crl(&crls[1]);

    let pair = site.ca.issue(&Wanted::server("server"));
    let with = |crls: &[std::path::PathBuf]| {
        site.serve_files(tls::ServerFiles {
            crls: crls.to_vec(),
            ..site.files(&pair, ClientAuth::Required)
        })
    };
    let try_it = |addr, pair| {
        let mut arguments = show(pair).to_vec();
        arguments.extend(["-cert_chain", pair.cert.to_str().unwrap()]);
        s_client(addr, &arguments, "end\n").contains("end by")
    };
    let both = with(&crls);
    assert!(try_it(both, &good));
    assert!(try_it(both, &good_below));
    assert!(!try_it(both, &bad));
    assert!(!try_it(both, &bad_below));
    assert_eq!(site.failures("revoked"), 2);

    let of_root_only = with(&crls[..1]);
    assert!(try_it(of_root_only, &good));
    assert!(!try_it(of_root_only, &good_below));
    assert_eq!(site.failures("revocation_unknown"), 1);
    // The list of the root may be missing where it is not the sender's issuer.
    let of_below_only = with(&crls[1..]);
    assert!(try_it(of_below_only, &good_below));
    assert!(!try_it(of_below_only, &bad_below));

    site.ca.revoke(&below.ca());
    site.ca.write_crl(&crls[0]);
    assert!(!try_it(with(&crls), &good_below));
    assert_eq!(site.failures("revoked"), 4, "{}", site.meter.encode());
}

/// Guarantees: what does not speak TLS, and what says nothing in time, is refused and counted.
#[test]
fn what_is_no_tls_is_refused() {
    use std::io::{Read, Write};
    let site = Site::new();
    let pair = site.ca.issue(&Wanted::server("server"));
    let server = site
        .keeper
        .server("test", site.files(&pair, ClientAuth::Off))
        .unwrap();
    let brief = std::time::Duration::from_millis(200);
    let addr = site.serve_with(server, brief);
    let connect = || std::net::TcpStream::connect(addr).unwrap();
    let mut rest = Vec::new();

    let mut plain = connect();
    plain
        .write_all(b"POST /v1/traces HTTP/1.1\r\n\r\n")
        .unwrap();
    plain.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = plain.read_to_end(&mut rest);
    wait_for("a protocol error", || site.failures("protocol") == 1);

    let mut silent = connect();
    let _ = silent.read_to_end(&mut rest);
    wait_for("a timeout", || site.failures("timeout") == 1);

    drop(connect());
    wait_for("a lost connection", || site.failures("disconnected") == 1);
}

/// Guarantees (BOUNDED): handshakes that hang hold up others no longer than their timeout, and no
/// more of them run at a time than the limit.
#[test]
fn hanging_handshakes_do_not_shut_others_out() {
    let site = Site::new();
    let pair = site.ca.issue(&Wanted::server("server"));
    let server = site
        .keeper
        .server("test", site.files(&pair, ClientAuth::Off))
        .unwrap();
    let addr = site.serve_with(server, std::time::Duration::from_secs(2));
    let hanging: Vec<_> = (0..200)
        .map(|_| std::net::TcpStream::connect(addr).unwrap())
        .collect();
    wait_for("the hanging to be over", || site.failures("timeout") == 200);
    assert!(s_client(addr, &[], "end\n").contains("end by nobody"));
    drop(hanging);
}

/// Guarantees: no session is resumed, so a certificate is verified on every connection.
#[test]
fn sessions_are_not_resumed() {
    let site = Site::new();
    let addr = site.serve(ClientAuth::Required);
    let pair = site.ca.issue(&Wanted::client("good", SPIFFE));
    let saved = site.path("session");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut first = show(&pair).to_vec();
        first.extend([version, "-sess_out", saved.to_str().unwrap()]);
        assert!(s_client(addr, &first, "end\n").contains("end by"));
        if saved.exists() {
            let text = openssl(&["sess_id", "-in", saved.to_str().unwrap(), "-text", "-noout"]);
            assert!(!text.contains("TLS session ticket:"), "{text}");
            let again = [version, "-sess_in", saved.to_str().unwrap()];
            assert!(!s_client(addr, &again, "end\n").contains("end by"));
            std::fs::remove_file(&saved).unwrap();
        }
    }
}

/// Guarantees: HTTP/2 is chosen where both are offered, and a client without either is refused.
#[test]
fn the_protocol_inside_is_agreed_on() {
    let site = Site::new();
    let pair = site.ca.issue(&Wanted::server("server"));
    let addr = site.serve_files(site.files(&pair, ClientAuth::Off));
    let text = s_client(addr, &["-alpn", "http/1.1,h2"], "end\n");
    assert!(text.contains("ALPN protocol: h2"), "{text}");
    let text = s_client(addr, &["-alpn", "http/1.1"], "end\n");
    assert!(text.contains("ALPN protocol: http/1.1"), "{text}");
    let text = s_client(addr, &["-alpn", "spdy/3"], "end\n");
    assert!(!text.contains("end by"), "{text}");
    assert_eq!(site.failures("incompatible"), 1);
    // Kept for who connects without ALPN, such as a probe.
    assert_eq!(Talk::open(addr, &[]).say("hello"), "hello by nobody\n");
}
