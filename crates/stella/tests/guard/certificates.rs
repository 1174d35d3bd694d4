//! Client certificates and whose data comes with them.

use std::process::Command;

use super::{BINARY, audit, denied, log, text};
use testkit::openssl::{Authority, Pair, Wanted, openssl};
use testkit::pki::Pki;
use testkit::stella::{LISTEN, Stella};
use testkit::wait_for;

/// Posts a log record over TLS with curl: HTTP's status and the answer's text.
fn post(
    stella: &Stella,
    ca: &std::path::Path,
    own: Option<&Pair>,
    more: &[&str],
    body: &str,
) -> (u32, String) {
    let url = format!("https://localhost:{}/v1/logs", stella.at().http.port());
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--cacert",
        text(ca),
        "-w",
        "\n%{http_code}",
    ])
    .args(["-H", "content-type: application/json"])
    .args(["--data-binary", &log(body).to_string()])
    .args(more)
    .arg(url);
    if let Some(own) = own {
        curl.args(["--cert", text(&own.cert), "--key", text(&own.key)]);
    }
    let output = curl.output().expect("curl is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (message, code) = said.rsplit_once('\n').unwrap_or(("", "0"));
    let errors = String::from_utf8_lossy(&output.stderr);
    (code.parse().unwrap_or(0), format!("{message}{errors}"))
}

/// Guarantees: TENANT-BY-IDENTITY; the SPIFFE URI that `pki` writes names the tenant, over HTTP and
/// gRPC; each tenant's dump and file hold its own data alone; an identity of a tenant that is not
/// listed is refused with 403, one that stands for nobody and none at all with 401; each is audited
/// and counted.
#[test]
fn a_spiffe_id_is_a_tenant() {
    let pki = Pki::new(BINARY);
    let (acme, globex) = (pki.client("acme", "one"), pki.client("globex", "two"));
    let stranger = pki.client("umbrella", "three");
    let files = pki.folder().join("files");
    let profile = format!(
        "{}  client_auth: optional\nidentity:\n  trust_domain: site.example\n  tenants: {{ acme: {{}}, globex: {{}} }}\n\
         ship: [{{ name: files, file: {{ path: {} }} }}]\n",
        pki.profile(),
        files.display()
    );
    let stella = Stella::start_with(BINARY, LISTEN, &profile, &[]);
    let ca = pki.ca();
    for (own, body) in [(&acme, "of acme"), (&globex, "of globex")] {
        let (code, message) = post(&stella, &ca, Some(own), &[], body);
        assert_eq!(code, 200, "{message}");
    }
    let request = pki.folder().join("request.json");
    for (own, body) in [(&acme, "by gRPC of acme"), (&globex, "by gRPC of globex")] {
        std::fs::write(&request, log(body).to_string()).unwrap();
        let endpoint = format!("https://localhost:{}", stella.at().grpc.port());
        stella.print(&[
            "send",
            "--endpoint",
            &endpoint,
            "--ca",
            text(&ca),
            "--cert",
            text(&own.cert),
            "--key",
            text(&own.key),
            text(&request),
        ]);
    }
    for (tenant, other) in [("acme", "globex"), ("globex", "acme")] {
        let dump = stella.dump_of(tenant);
        assert_eq!(dump.matches(&format!("of {tenant}")).count(), 2, "{dump}");
        assert!(!dump.contains(other), "{dump}");
        let file = files.join(tenant).join("logs.jsonl");
        wait_for("the tenant's file", || {
            let shipped = std::fs::read_to_string(&file).unwrap_or_default();
            shipped.matches(&format!("of {tenant}")).count() == 2
        });
        let shipped = std::fs::read_to_string(&file).unwrap();
        assert!(!shipped.contains(other), "{shipped}");
    }
    assert_eq!(stella.dump_of("umbrella"), "");

    let (code, message) = post(&stella, &ca, Some(&stranger), &[], "of umbrella");
    assert_eq!(code, 403, "{message}");
    assert!(
        message.contains("hint: ") && !message.contains("acme"),
        "{message}"
    );
    let (code, message) = post(&stella, &ca, None, &[], "of nobody");
    assert_eq!(code, 401, "{message}\n{}", stella.log());
    assert_eq!(denied(&stella, "unlisted_tenant"), 1.0);
    assert_eq!(denied(&stella, "nothing_proven"), 1.0);
    let audit = audit(&stella);
    let told = |word: &str| audit.iter().any(|line| line.contains(word));
    assert!(told("unlisted_tenant") && told("umbrella"), "{audit:?}");
    assert!(told("nothing_proven"), "{audit:?}");
    let everything = stella.dump();
    assert!(!everything.contains("umbrella") && !everything.contains("nobody"));
    let mut tenants: Vec<_> = std::fs::read_dir(&files)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    tenants.sort();
    assert_eq!(tenants, ["acme", "globex"]);
}

/// Guarantees: TENANT-BY-IDENTITY; subject, DNS name, e-mail address, pattern and fingerprint of a
/// certificate that openssl issued each stand for their tenant; one that two of its names give to
/// two tenants is refused with 403, one of nobody with 401.
#[test]
fn each_name_of_a_certificate_counts() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::root(&folder.path().join("ca"));
    let server = authority.issue(&Wanted::server("localhost"));
    let issue = |name: &str, names: &str| authority.issue(&Wanted::client(name, names));
    let cases = [
        ("subject", issue("agent-seven", "")),
        ("dns", issue("a", "DNS:Collector.acme.example")),
        ("email", issue("b", "email:ops@acme.example")),
        (
            "pattern",
            issue("c", "URI:spiffe://partner.example/east/agent/4"),
        ),
        ("fingerprint", issue("d", "")),
    ];
    let fingerprint = openssl(&[
        "x509",
        "-in",
        text(&cases[4].1.cert),
        "-noout",
        "-fingerprint",
        "-sha256",
    ]);
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap();
    let profile = format!(
        "tls: {{ cert: {}, key: {}, client_ca: {} }}\nidentity:\n  tenants:\n    \
         subject: {{ match: [{{ subject: CN=agent-seven }}] }}\n    \
         dns: {{ match: [{{ dns: collector.acme.example }}] }}\n    \
         email: {{ match: [{{ email: ops@acme.example }}] }}\n    \
         pattern: {{ match: [{{ san: 'spiffe://partner.example/*/agent/**' }}] }}\n    \
         fingerprint: {{ match: [{{ fingerprint: '{fingerprint}' }}] }}\n",
        server.cert.display(),
        server.key.display(),
        authority.ca().display()
    );
    let stella = Stella::start(BINARY, &profile);
    for (tenant, own) in &cases {
        let (code, message) = post(
            &stella,
            &authority.ca(),
            Some(own),
            &[],
            &format!("by {tenant}"),
        );
        assert_eq!(code, 200, "{tenant}: {message}");
        let dump = stella.dump_of(tenant);
        assert_eq!(dump.matches("stringValue").count(), 1, "{dump}");
        assert!(dump.contains(&format!("by {tenant}")), "{dump}");
    }
    let refused = [
        (
            "both",
            "DNS:collector.acme.example,email:ops@acme.example",
            403,
            "ambiguous_identity",
        ),
        (
            "near",
            "URI:spiffe://partner.example/east/west/agent/4",
            401,
            "unknown_identity",
        ),
        (
            "evil",
            "DNS:collector.acme.example.evil.example",
            401,
            "unknown_identity",
        ),
    ];
    for (name, names, expected, reason) in refused {
        let before = denied(&stella, reason);
        let (code, message) = post(
            &stella,
            &authority.ca(),
            Some(&issue(name, names)),
            &[],
            "refused",
        );
        assert_eq!(code, expected, "{name}: {message}");
        assert_eq!(denied(&stella, reason), before + 1.0, "{name}");
    }
    assert!(!stella.dump().contains("refused"));
}

/// Guarantees: a good certificate does not make up for a bad token, and a certificate and a token
/// of two tenants are refused.
#[test]
fn every_credential_that_is_shown_must_be_good() {
    let pki = Pki::new(BINARY);
    let (acme, other) = (pki.client("acme", "one"), super::Holder::new());
    let profile = format!(
        "{}identity:\n  trust_domain: site.example\n  tenants:\n    acme: {{}}\n    globex: {{ match: [{{ token: '{}' }}] }}\n",
        pki.profile(),
        other.digest
    );
    let stella = Stella::start(BINARY, &profile);
    let with = |header: &str| post(&stella, &pki.ca(), Some(&acme), &["-H", header], "a record").0;
    assert_eq!(with("x-nothing: 1"), 200);
    // Often: over HTTP/2 the answer to a body that is still on its way must arrive each time.
    for _ in 0..30 {
        assert_eq!(with("authorization: Bearer nonsense"), 401);
    }
    assert_eq!(with("authorization: Basic YTpi"), 401);
    let unknown = format!("authorization: {}", super::Holder::new().bearer);
    assert_eq!(with(&unknown), 401);
    let two = format!("authorization: {}", other.bearer);
    assert_eq!(with(&two), 403);
    assert_eq!(stella.dump_of("globex"), "");
}
