//! Bearer tokens, good and bad.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{BINARY, Holder, TAKEN, UNAUTHENTICATED, audit, codes, denied, send_each_way, tenants};
use serde_json::{Value, json};
use testkit::jwt::{Kind, Signer, hmac_token, key_set, unsigned};
use testkit::stella::Stella;

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Claims of a good token.
pub(super) fn claims(tenant: &str) -> Value {
    json!({
        "iss": "https://idp.example", "aud": ["stella"], "sub": "agent", "tenant": tenant,
        "groups": [format!("{tenant}-senders")], "iat": now() - 5, "exp": now() + 3600
    })
}

pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A profile with this key set's issuer.
pub(super) fn profile(key_set: &std::path::Path) -> String {
    format!(
        "identity:\n  tenants:\n    acme: {{}}\n    globex: {{}}\n    grouped: {{ match: [{{ claim: {{ iss: 'https://idp.example', groups: grouped-senders }} }}] }}\n  \
         tokens:\n    issuers:\n      - issuer: https://idp.example\n        audiences: [stella]\n        \
         jwks: {}\n        algorithms: [RS256, ES256, EdDSA]\n        tenant_claim: tenant\n",
        key_set.display()
    )
}

/// Guarantees: TENANT-BY-IDENTITY; a token that openssl signed with RS256, ES256 or EdDSA, and an
/// opaque one, stand for their tenant over HTTP (protobuf, JSON) and gRPC.
#[test]
fn good_tokens_are_tenants() {
    let folder = tempfile::tempdir().unwrap();
    let signers = Kind::ALL.map(|kind| Signer::new(folder.path(), kind, kind.alg()));
    let set = folder.path().join("jwks.json");
    std::fs::write(&set, key_set(&signers.each_ref())).unwrap();
    let stella = Stella::start(BINARY, &profile(&set));
    for (signer, kind) in signers.iter().zip(Kind::ALL) {
        for tenant in ["acme", "globex"] {
            let token = bearer(&signer.token(&claims(tenant)));
            let body = format!("{} of {tenant}", kind.alg());
            let answers = send_each_way(&stella, &[("authorization", &token)], &body);
            assert_eq!(codes(&answers), TAKEN, "{body}: {answers:?}");
            let dump = stella.dump_of(tenant);
            assert_eq!(dump.matches(&body).count(), 3, "{dump}");
        }
    }
    let mut grouped = claims("grouped");
    grouped.as_object_mut().unwrap().remove("tenant");
    let token = bearer(&signers[1].token(&grouped));
    let answers = send_each_way(&stella, &[("authorization", &token)], "by its group");
    assert_eq!(codes(&answers), TAKEN, "{answers:?}");
    assert_eq!(stella.dump_of("grouped").matches("by its group").count(), 3);
    assert!(!stella.dump_of("acme").contains("globex"));

    let holder = Holder::new();
    let stella = Stella::start(BINARY, &tenants(&[("acme", &holder)]));
    let answers = send_each_way(&stella, &holder.headers(), "opaque");
    assert_eq!(codes(&answers), TAKEN, "{answers:?}");
    assert_eq!(stella.dump_of("acme").matches("opaque").count(), 3);
}

/// Guarantees: no token that is not good is taken, over HTTP and gRPC: each is refused as
/// unauthenticated, audited and counted, and neither log nor answer holds the token.
#[test]
fn bad_tokens_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rsa = Signer::new(folder.path(), Kind::Rs256, "rsa");
    let ec = Signer::new(folder.path(), Kind::Es256, "ec");
    let unknown = Signer::new(folder.path(), Kind::Es256, "unknown");
    let set = folder.path().join("jwks.json");
    std::fs::write(&set, key_set(&[&rsa, &ec])).unwrap();
    let stella = Stella::start(BINARY, &profile(&set));

    let changed = |key: &str, value: Value| {
        let mut claims = claims("acme");
        claims[key] = value;
        claims
    };
    let good = ec.token(&claims("acme"));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = unsigned(&json!({"alg": "ES256", "kid": "ec"}), &claims("globex"));
    let mut bent = signature.to_owned();
    let first = if bent.starts_with('A') { "B" } else { "A" };
    bent.replace_range(0..1, first);
    let pem = rsa.public_pem();
    let forged = |kid: &str| {
        let header = json!({"alg": "HS256", "kid": kid});
        hmac_token(folder.path(), &header, &claims("acme"), &pem)
    };
    let cases = [
        (
            "alg none",
            format!("{}.", unsigned(&json!({"alg": "none"}), &claims("acme"))),
        ),
        (
            "alg none with a kid",
            format!(
                "{}.{signature}",
                unsigned(&json!({"alg": "none", "kid": "ec"}), &claims("acme"))
            ),
        ),
        ("HS256 with the public key", forged("rsa")),
        ("HS256 without a kid's key", forged("nobody")),
        ("expired", ec.token(&changed("exp", json!(now() - 3600)))),
        ("not yet", ec.token(&changed("nbf", json!(now() + 3600)))),
        ("wrong audience", ec.token(&changed("aud", json!("others")))),
        (
            "wrong issuer",
            ec.token(&changed("iss", json!("https://evil.example"))),
        ),
        ("unknown kid", unknown.token(&claims("acme"))),
        (
            "another key under a known kid",
            unknown.token_with(&json!({"alg": "ES256", "kid": "ec"}), &claims("acme")),
        ),
        (
            "another algorithm than the key's",
            ec.token_with(&json!({"alg": "RS256", "kid": "ec"}), &claims("acme")),
        ),
        ("tampered claims", format!("{other}.{signature}")),
        ("tampered signature", format!("{signed}.{bent}")),
        ("no signature", format!("{signed}.")),
        (
            "a key of its own",
            ec.token_with(
                &json!({"alg": "ES256", "jwk": unknown.jwk()}),
                &changed("iss", json!("x")),
            ),
        ),
        ("garbage", "a.b.c".to_owned()),
        ("nothing", String::new()),
        (
            "a damaged opaque token",
            format!("{}0", &Holder::new().bearer["Bearer ".len()..]),
        ),
        (
            "an opaque token of nobody",
            Holder::new().bearer["Bearer ".len()..].to_owned(),
        ),
    ];
    let all = || stella.metric("stella_guard_denied_requests_total");
    for (name, token) in &cases {
        let before = (all(), audit(&stella).len());
        let answers = send_each_way(&stella, &[("authorization", &bearer(token))], "bad");
        assert_eq!(codes(&answers), UNAUTHENTICATED, "{name}: {answers:?}");
        for answer in &answers {
            assert!(answer.message.contains("hint: "), "{name}: {answer:?}");
            assert!(
                token.len() < 8 || !answer.message.contains(&**token),
                "{name}"
            );
        }
        assert_eq!(all(), before.0 + 3.0, "{name}");
        assert_eq!(audit(&stella).len(), before.1 + 3, "{name}");
        let log = stella.log();
        let parts = token.split('.').filter(|part| part.len() > 16);
        for part in parts.filter(|part| !part.starts_with("stella_")) {
            assert!(!log.contains(part), "{name}: {part} is in the log");
        }
        assert!(token.len() < 8 || !log.contains(&**token), "{name}");
    }

    let good = bearer(&good);
    let schemes: &[(&str, &[(&str, &str)])] = &[
        ("Basic", &[("authorization", "Basic YWNtZTphY21l")]),
        (
            "no scheme",
            &[("authorization", good.strip_prefix("Bearer ").unwrap())],
        ),
        (
            "two headers",
            &[("authorization", &good), ("authorization", &good)],
        ),
        (
            "a good one behind a bad one",
            &[("authorization", "Bearer x"), ("authorization", &good)],
        ),
    ];
    let before = denied(&stella, "authorization_scheme");
    for (name, headers) in schemes {
        let answers = send_each_way(&stella, headers, "bad");
        assert_eq!(codes(&answers), UNAUTHENTICATED, "{name}: {answers:?}");
    }
    let more = denied(&stella, "authorization_scheme") - before;
    assert_eq!(more, 3.0 * schemes.len() as f64);
    assert_eq!(stella.dump(), "");
    // So that it is the token that was refused each time.
    let answers = send_each_way(&stella, &[("authorization", &good)], "good");
    assert_eq!(codes(&answers), TAKEN, "{answers:?}");
}
