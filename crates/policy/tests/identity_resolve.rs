//! Who is who: matchers, forwarders, the trust domain, contradictions (TENANT-BY-IDENTITY).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use ident::{Certificate, Fingerprint};
use otlp::view::Value;
use policy::identity::{
    Denied, DeniedKind, Digest, Directory, Identity, LoadError, Proof, Resolved, TenantAttribute,
    token::opaque,
};

fn directory(yaml: &str) -> Directory {
    Directory::new(&serde_saphyr::from_str::<Identity>(yaml).unwrap()).unwrap()
}

fn load_error(yaml: &str) -> LoadError {
    Directory::new(&serde_saphyr::from_str::<Identity>(yaml).unwrap()).unwrap_err()
}

fn certificate() -> Certificate {
    Certificate {
        uris: Vec::new(),
        dns_names: Vec::new(),
        emails: Vec::new(),
        subject: String::new(),
        common_name: None,
        serial: "01".to_owned(),
        fingerprint: Fingerprint(*Digest::of(b"some certificate").as_bytes()),
        not_after: 0,
    }
}

fn proof(certificate: Certificate) -> Proof {
    Proof {
        certificate: Some(Arc::new(certificate)),
        ..Proof::default()
    }
}

fn uri(uri: &str) -> Proof {
    proof(Certificate {
        uris: vec![uri.to_owned()],
        ..certificate()
    })
}

fn tenant(result: Result<Resolved, Denied>) -> Result<String, Denied> {
    result.map(|resolved| resolved.tenant.to_string())
}

const SITE: &str = r#"
trust_domain: site.example
tenants:
  acme:
    match:
      - san: spiffe://other.example/acme/*
      - dns: Collector.Acme.example
      - email: ops@acme.example
      - token: sha256:7d1a54127b222502f5b79b5fb0803061152a44f92b37e23c6527baf665d4da9a
  globex:
    match:
      - san: spiffe://other.example/globex/**
      - san: https://globex.example/agent
      - subject: CN=agent,O=Globex
      - common_name: globex-agent
      - fingerprint: sha256:0000000000000000000000000000000000000000000000000000000000000001
  spare: {}
forwarders:
  - match: [dns: hub.example]
    tenants: "*"
  - match: [dns: edge.example, san: "spiffe://site.example/edge/**"]
    tenants: [acme, globex]
    default: acme
"#;

/// Guarantees: each kind of matcher finds its tenant and nothing near it.
#[test]
fn each_matcher_finds_its_tenant() {
    let site = directory(SITE);
    let of = |proof: Proof| tenant(site.resolve(&proof, None));
    let unknown = Err(Denied::UnknownIdentity);
    let acme = Ok("acme".to_owned());
    let globex = Ok("globex".to_owned());
    for (name, expected) in [
        ("spiffe://other.example/acme/agent", &acme),
        ("spiffe://other.example/acme", &unknown),
        ("spiffe://other.example/acme/", &unknown),
        ("spiffe://other.example/acme/a/b", &unknown),
        ("spiffe://other.example/acme-evil/a", &unknown),
        ("spiffe://other.example.evil/acme/a", &unknown),
        ("SPIFFE://other.example/acme/a", &unknown),
        ("spiffe://other.example/globex/a", &globex),
        ("spiffe://other.example/globex/a/b/c", &globex),
        ("spiffe://other.example/globex/a//c", &unknown),
        ("spiffe://other.example/globex", &unknown),
        ("https://globex.example/agent", &globex),
        ("https://globex.example/agent/x", &unknown),
        ("spiffe://site.example/tenant/acme", &acme),
        ("spiffe://site.example/tenant/acme/ns/x/sa/y", &acme),
        ("spiffe://site.example/tenant/acme//y", &unknown),
        ("spiffe://site.example/tenant/", &unknown),
        ("spiffe://site.example/tenants/acme", &unknown),
        ("spiffe://site.example.org/tenant/acme", &unknown),
        ("", &unknown),
    ] {
        assert_eq!(&of(uri(name)), expected, "{name}");
    }
    let deep = format!("spiffe://other.example/globex{}", "/x".repeat(40));
    assert_eq!(of(uri(&deep)), unknown);

    let with = |change: fn(&mut Certificate)| {
        let mut certificate = certificate();
        change(&mut certificate);
        proof(certificate)
    };
    assert_eq!(
        of(with(|c| c
            .dns_names
            .push("collector.ACME.example".to_owned()))),
        acme
    );
    assert_eq!(
        of(with(|c| c
            .dns_names
            .push("x.collector.acme.example".to_owned()))),
        unknown
    );
    assert_eq!(
        of(with(|c| c.emails.push("ops@acme.example".to_owned()))),
        acme
    );
    assert_eq!(
        of(with(|c| c.subject = "CN=agent,O=Globex".to_owned())),
        globex
    );
    assert_eq!(
        of(with(|c| c.subject = "CN=agent,O=Globex,C=DE".to_owned())),
        unknown
    );
    assert_eq!(
        of(with(|c| c.common_name = Some("globex-agent".to_owned()))),
        globex
    );
    let mut one = [0; 32];
    one[31] = 1;
    let fingerprint = Certificate {
        fingerprint: Fingerprint(one),
        ..certificate()
    };
    assert_eq!(of(proof(fingerprint)), globex);
    assert_eq!(of(proof(certificate())), unknown);
    assert_eq!(of(Proof::NOTHING), Err(Denied::NothingProven));
    assert_eq!(Denied::NothingProven.kind(), DeniedKind::Unauthenticated);
}

/// Guarantees: an opaque token is found by its digest alone, and one that nobody was given is
/// refused even beside a good certificate.
#[test]
fn opaque_tokens() {
    let token = opaque::NewToken::new([0x5a; 32]);
    let yaml = format!(
        "tenants: {{acme: {{match: [token: '{}']}}}}",
        token.digest()
    );
    let site = directory(&yaml);
    let opaque = |text: &str| Proof {
        opaque: opaque::digest(text),
        ..Proof::default()
    };
    assert_eq!(
        tenant(site.resolve(&opaque(token.reveal()), None)),
        Ok("acme".to_owned())
    );
    let other = opaque::NewToken::new([0x5b; 32]);
    assert_eq!(
        tenant(site.resolve(&opaque(other.reveal()), None)),
        Err(Denied::UnknownToken)
    );

    let site = directory(SITE);
    let mut both = uri("spiffe://other.example/acme/agent");
    both.opaque = Some(other.digest());
    assert_eq!(tenant(site.resolve(&both, None)), Err(Denied::UnknownToken));
    assert!(!format!("{both}").contains(&other.reveal()[7..15]));
}

/// Guarantees: a header of a sender that may not choose is ignored and reported; only a forwarder
/// chooses, among its tenants alone.
#[test]
fn only_forwarders_choose() {
    let site = directory(SITE);
    let acme = uri("spiffe://other.example/acme/agent");
    let resolved = site.resolve(&acme, Some("globex")).unwrap();
    assert_eq!(
        (
            resolved.tenant.as_str(),
            resolved.overridden,
            resolved.may_choose
        ),
        ("acme", true, false)
    );
    let resolved = site.resolve(&acme, Some("acme")).unwrap();
    assert!(!resolved.overridden);
    assert!(
        site.resolve(&acme, Some("not/a tenant"))
            .unwrap()
            .overridden
    );

    let dns = |name: &str| {
        proof(Certificate {
            dns_names: vec![name.to_owned()],
            ..certificate()
        })
    };
    let choose = |who: &Proof, wanted| tenant(site.resolve(who, wanted));
    let id = |name: &str| name.parse::<ident::TenantId>().unwrap();
    let (hub, edge) = (dns("hub.example"), dns("edge.example"));
    assert_eq!(choose(&hub, Some("spare")), Ok("spare".to_owned()));
    assert_eq!(
        choose(&hub, Some("nobody")),
        Err(Denied::NotAllowed(id("nobody")))
    );
    assert_eq!(choose(&hub, None), Err(Denied::NothingChosen));
    for bad in ["", "a|b", "..", "acme\n", "../acme"] {
        let denied = choose(&hub, Some(bad)).unwrap_err();
        assert!(matches!(denied, Denied::BadChoice(_)), "{bad}");
        assert_eq!(denied.kind(), DeniedKind::PermissionDenied);
    }
    assert_eq!(choose(&edge, Some("globex")), Ok("globex".to_owned()));
    assert_eq!(
        choose(&edge, Some("spare")),
        Err(Denied::NotAllowed(id("spare")))
    );
    assert_eq!(choose(&edge, None), Ok("acme".to_owned()));
    assert!(site.resolve(&edge, None).unwrap().may_choose);
    assert_eq!(
        choose(&uri("spiffe://site.example/edge/1"), Some("globex")),
        Ok("globex".to_owned())
    );
    // A tenant's own identity beside a forwarder's: its own unless another is chosen.
    let mut both = certificate();
    both.uris = vec!["spiffe://other.example/globex/a".to_owned()];
    both.dns_names = vec!["edge.example".to_owned()];
    assert_eq!(choose(&proof(both.clone()), None), Ok("globex".to_owned()));
    assert_eq!(choose(&proof(both), Some("acme")), Ok("acme".to_owned()));
    assert_eq!(site.header(), "x-scope-orgid");
}

/// Guarantees: what stands for two tenants is denied; what only names a tenant must be listed.
#[test]
fn ambiguous_and_unlisted_identities_are_denied() {
    let site = directory(SITE);
    let mut two = certificate();
    two.dns_names = vec!["collector.acme.example".to_owned()];
    two.common_name = Some("globex-agent".to_owned());
    let denied = site.resolve(&proof(two), None).unwrap_err();
    assert!(matches!(denied, Denied::Ambiguous(..)));
    assert!(!denied.to_sender().contains("acme"));

    let nobody = uri("spiffe://site.example/tenant/nobody/a");
    let name = "nobody".parse().unwrap();
    assert_eq!(
        tenant(site.resolve(&nobody, None)),
        Err(Denied::UnlistedTenant(name))
    );
    let open = directory(&format!("unlisted_tenants: allow\n{SITE}"));
    assert_eq!(tenant(open.resolve(&nobody, None)), Ok("nobody".to_owned()));
    let reserved = uri("spiffe://site.example/tenant/__mimir_cluster/a");
    assert!(matches!(
        open.resolve(&reserved, None),
        Err(Denied::BadSpiffeTenant(_))
    ));

    let mut many = certificate();
    many.dns_names = (0..65).map(|i| format!("{i}.example")).collect();
    assert_eq!(
        tenant(site.resolve(&proof(many), None)),
        Err(Denied::TooManyNames)
    );

    let home = directory("anonymous: home\ntenants: {home: {}, acme: {}}");
    let resolved = home.resolve(&Proof::NOTHING, Some("acme")).unwrap();
    assert_eq!(
        (resolved.tenant.as_str(), resolved.overridden),
        ("home", true)
    );
}

/// Guarantees: contradictions are found when the configuration is loaded, not when a sender comes.
#[test]
fn contradictions_are_load_errors() {
    let two = |a: &str, b: &str| {
        load_error(&format!(
            "trust_domain: td\ntenants:\n  a: {{match: [{a}]}}\n  b: {{match: [{b}]}}\n"
        ))
    };
    for (a, b) in [
        ("dns: X.example", "dns: x.example"),
        ("common_name: x", "common_name: x"),
        ("claim: {x: '1', y: '2'}", "claim: {y: '2', x: '1'}"),
        ("san: 'u://h/a/*'", "san: 'u://h/a/*'"),
        ("san: 'u://h/a/**'", "san: 'u://h/a/**'"),
        ("san: u://h/a", "san: u://h/a"),
    ] {
        assert!(matches!(two(a, b), LoadError::Twice { .. }), "{a} {b}");
        assert!(matches!(two(b, a), LoadError::Twice { .. }), "{b} {a}");
    }
    for (a, b) in [
        ("san: 'u://h/*/x'", "san: 'u://h/y/*'"),
        ("san: 'u://h/**'", "san: 'u://h/y/*'"),
        ("san: 'u://h/a/**'", "san: 'u://h/a/b/c/**'"),
        ("san: 'u://h/*'", "san: u://h/exact"),
        ("san: 'u://h/**'", "san: u://h/a/b/c/d"),
    ] {
        assert!(matches!(two(a, b), LoadError::Overlap { .. }), "{a} {b}");
        assert!(matches!(two(b, a), LoadError::Overlap { .. }), "{b} {a}");
    }
    for a in [
        "san: spiffe://td/tenant/b/x",
        "san: 'spiffe://td/tenant/b/**'",
        "san: 'spiffe://td/tenant/*/x'",
        "san: 'spiffe://td/*/a'",
        "san: 'spiffe://td/**'",
        "san: 'spiffe://td/tenant/**'",
    ] {
        assert!(
            matches!(two(a, "dns: x"), LoadError::TrustDomain { .. }),
            "{a}"
        );
    }
    directory(
        "trust_domain: td\ntenants: {a: {match: [san: 'spiffe://td/tenant/a/**', san: 'spiffe://td/x/*']}}",
    );
    directory(
        "tenants: {a: {match: [san: 'u://h/*/x']}, b: {match: [san: 'u://h/*/y', san: u://h/x/z, san: 'u://h/*']}}",
    );
    let typo = "tenants: {a: {}}\nforwarders: [{match: [dns: x], tenants: [b]}]";
    assert!(matches!(load_error(typo), LoadError::Unlisted(_)));
    assert!(matches!(load_error("anonymous: x"), LoadError::Unlisted(_)));
    let twice = "tenants: {a: {}}\nforwarders: [{match: [dns: x], tenants: '*'}, {match: [dns: x], tenants: [a]}]";
    assert!(matches!(load_error(twice), LoadError::Twice { .. }));
}

/// Guarantees: a configuration with an unknown key or a value that is not what it must be is not
/// taken, and no error repeats what could be a token.
#[test]
fn configuration_is_checked() {
    for bad in [
        "tenant: {}",
        "tenants: {a: {matches: []}}",
        "tenants: {'a/b': {}}",
        "tenants: {a: {match: [uri: x]}}",
        "tenants: {a: {match: [san: 'spiffe://td/a*']}}",
        "tenants: {a: {match: [claim: {}]}}",
        "tenants: {a: {match: [dns: '']}}",
        "trust_domain: spiffe://x",
        "tenant_header: 'x y'",
        "unlisted_tenants: maybe",
        "forwarders: [{match: [], tenants: all}]",
        "tokens: {issuers: [{issuer: x, audiences: [a], jwks: f, algorithms: [HS256]}]}",
    ] {
        assert!(serde_saphyr::from_str::<Identity>(bad).is_err(), "{bad}");
    }
    let token = opaque::NewToken::new([1; 32]);
    let yaml = format!("tenants: {{a: {{match: [token: {}]}}}}", token.reveal());
    let error = serde_saphyr::from_str::<Identity>(&yaml).unwrap_err();
    assert!(!error.without_snippet().to_string().contains(token.reveal()));
}

/// Guarantees (TENANT-BY-IDENTITY): an attribute `tenant.id` that says anything but the tenant is
/// overwritten.
#[test]
fn the_attribute_says_the_truth() {
    let resolved = |may_choose| Resolved {
        tenant: "acme".parse().unwrap(),
        may_choose,
        overridden: false,
    };
    let sender = resolved(false);
    assert_eq!(
        sender.attribute(Value::String("acme")),
        TenantAttribute::Keep
    );
    let attempt = TenantAttribute::Overwrite { attempt: true };
    for value in [
        Value::String("globex"),
        Value::String(""),
        Value::Empty,
        Value::Int(1),
        Value::Bytes(b"acme"),
    ] {
        assert_eq!(sender.attribute(value), attempt);
    }
    let overwrite = TenantAttribute::Overwrite { attempt: false };
    assert_eq!(resolved(true).attribute(Value::String("globex")), overwrite);
}
