//! Signed tokens: what openssl and the RFCs sign is taken, and whatever is not as it must be is
//! refused, each for its own reason.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Key, b64};
use policy::identity::config::{self, Tokens};
use policy::identity::token::{Issuer, JwksError, TokenError, Verifier};
use policy::identity::{Denied, Directory, Proof};
use serde_json::json;

const NOW: u64 = 1_800_000_000;
const ALL: &str = "[RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]";

fn issuer_config(name: &str, algorithms: &str) -> config::Issuer {
    serde_saphyr::from_str(&format!(
        "issuer: {name}\naudiences: [stella, other]\njwks: keys.json\nalgorithms: {algorithms}\ntenant_claim: tenant\n"
    ))
    .unwrap()
}

fn issuer(jwks: &serde_json::Value, algorithms: &str) -> Result<Issuer, JwksError> {
    Issuer::new(
        &issuer_config("https://idp.example", algorithms),
        &jwks.to_string(),
    )
}

fn verifier(jwks: &serde_json::Value, algorithms: &str) -> Verifier {
    Verifier::new(&Tokens::default(), vec![issuer(jwks, algorithms).unwrap()]).unwrap()
}

fn with(
    mut jwk: serde_json::Value,
    member: &str,
    value: impl Into<serde_json::Value>,
) -> serde_json::Value {
    jwk[member] = value.into();
    jwk
}

fn claims() -> serde_json::Value {
    json!({"iss": "https://idp.example", "aud": "stella", "sub": "agent-7", "exp": NOW + 300,
        "iat": NOW, "tenant": "acme", "groups": ["a", "b"], "level": 3})
}

/// Guarantees: every algorithm that can be configured verifies what openssl signed, and no
/// signature passes under another algorithm's name or with one bit changed.
#[test]
fn takes_what_openssl_signs() {
    for (kind, algorithms) in [
        (
            "RSA",
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..],
        ),
        ("P-256", &["ES256"]),
        ("P-384", &["ES384"]),
        ("Ed25519", &["EdDSA"]),
    ] {
        let key = Key::new(kind);
        let jwks = json!({"keys": [with(key.jwk(), "kid", "k1")]});
        let verifier = verifier(&jwks, ALL);
        for alg in algorithms {
            let token = key.token(
                &json!({"alg": alg, "kid": "k1"}).to_string(),
                &claims().to_string(),
            );
            let verified = verifier.verify(&token, NOW).unwrap();
            assert_eq!(verified.issuer(), "https://idp.example");
            assert_eq!(verified.subject(), Some("agent-7"));
            assert_eq!(verified.tenant().map(|t| t.as_str()), Some("acme"));
            assert!(verified.has("groups", "b") && verified.has("level", "3"));
            assert!(!verified.has("groups", "c") && !verified.has("aud", "stella"));

            let (signed, signature) = token.rsplit_once('.').unwrap();
            let payload = signed.split_once('.').unwrap().1;
            for other in algorithms.iter().filter(|other| *other != alg) {
                let header = b64(json!({"alg": other, "kid": "k1"}).to_string());
                let swapped = format!("{header}.{payload}.{signature}");
                assert_eq!(
                    verifier.verify(&swapped, NOW),
                    Err(TokenError::Signature),
                    "{alg} as {other}"
                );
            }
            let mut bytes = key.sign(alg, signed.as_bytes());
            bytes[5] ^= 1;
            let broken = format!("{signed}.{}", b64(bytes));
            assert_eq!(verifier.verify(&broken, NOW), Err(TokenError::Signature));
            assert_eq!(
                verifier.verify(&format!("{signed}."), NOW),
                Err(TokenError::Signature)
            );
        }
    }
}

/// Guarantees: the signatures of RFC 7515's examples A.2 (RS256) and A.3 (ES256) are good. They
/// have no audience, which is checked after the signature: that is the only thing wrong with them.
#[test]
fn takes_the_signatures_of_rfc_7515() {
    let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let ec = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let a2 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let a3 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let jwks = json!({"keys": [rsa, ec]}).to_string();
    let joe = Issuer::new(&issuer_config("joe", ALL), &jwks).unwrap();
    let verifier = Verifier::new(&Tokens::default(), vec![joe]).unwrap();
    for token in [&a2, &a3] {
        assert_eq!(
            verifier.verify(token, 1_300_819_000),
            Err(TokenError::Audience)
        );
        let changed = token.replacen("J9.eyJpc3MiOiJqb2UiLA0K", "J9.eyJpc3MiOiJqb2UiLA0g", 1);
        assert_ne!(&changed, token);
        assert_eq!(
            verifier.verify(&changed, 1_300_819_000),
            Err(TokenError::Signature)
        );
    }
}

/// Guarantees: each way in which claims can be wrong is refused, for its own reason, though the
/// signature is good.
#[test]
fn refuses_wrong_claims() {
    let key = Key::new("Ed25519");
    let verifier = verifier(&json!({"keys": [key.jwk()]}), "[EdDSA]");
    let verify = |claims: &str| {
        verifier
            .verify(&key.token(r#"{"alg":"EdDSA"}"#, claims), NOW)
            .map(|_| ())
    };
    let edit = |name: &str, value: serde_json::Value| with(claims(), name, value).to_string();
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims.to_string()
    };
    assert_eq!(verify(&claims().to_string()), Ok(()));
    for (claims, expected) in [
        (edit("exp", json!(NOW - 60)), TokenError::Expired),
        (without("exp"), TokenError::Expired),
        (edit("exp", json!("1900000000")), TokenError::Claims),
        (edit("exp", json!(-1)), TokenError::Claims),
        (edit("exp", json!(1e300)), TokenError::Claims),
        (edit("nbf", json!(NOW + 61)), TokenError::NotYetValid),
        (edit("iat", json!(NOW + 61)), TokenError::NotYetValid),
        (
            edit("iss", json!("https://idp.example/")),
            TokenError::Issuer,
        ),
        (
            edit("iss", json!(["https://idp.example"])),
            TokenError::Issuer,
        ),
        (without("iss"), TokenError::Issuer),
        (edit("aud", json!("stella2")), TokenError::Audience),
        (edit("aud", json!([])), TokenError::Audience),
        (edit("aud", json!(["stella", 1])), TokenError::Claims),
        (without("aud"), TokenError::Audience),
        (edit("sub", json!(7)), TokenError::Claims),
        (edit("tenant", json!("../acme")), TokenError::Claims),
        (edit("tenant", json!(["acme"])), TokenError::Claims),
        (
            edit("groups", json!((0..100).collect::<Vec<_>>())),
            TokenError::Claims,
        ),
        (
            claims()
                .to_string()
                .replacen("\"sub\"", "\"exp\":1900000000,\"sub\"", 1),
            TokenError::Json,
        ),
        (
            claims()
                .to_string()
                .replacen("\"sub\"", "\"x\":{\"a\":1,\"a\":1},\"sub\"", 1),
            TokenError::Json,
        ),
        ("[]".to_owned(), TokenError::Json),
        ("{}{}".to_owned(), TokenError::Json),
    ] {
        assert_eq!(verify(&claims), Err(expected), "{claims}");
    }
    // Within the clock skew, with a list of audiences and with a time in fractions.
    assert_eq!(verify(&edit("exp", json!(NOW - 59))), Ok(()));
    assert_eq!(verify(&edit("nbf", json!(NOW + 60))), Ok(()));
    assert_eq!(verify(&edit("aud", json!(["x", "other"]))), Ok(()));
    assert_eq!(verify(&edit("exp", json!(NOW as f64 + 10.5))), Ok(()));
}

/// Guarantees: `none`, HMAC with the public key as the secret, critical headers, other kinds of
/// tokens and unknown keys are refused.
#[test]
fn refuses_wrong_headers() {
    let (rsa, ed, stranger) = (Key::new("RSA"), Key::new("Ed25519"), Key::new("Ed25519"));
    let jwks = json!({"keys": [with(rsa.jwk(), "kid", "r"), with(ed.jwk(), "kid", "e"),
        with(Key::new("Ed25519").jwk(), "kid", "e2")]});
    let verifier = verifier(&jwks, "[RS256, EdDSA]");
    let body = claims().to_string();
    let verify = |token: &str| verifier.verify(token, NOW).map(|_| ());

    for alg in [
        "none", "None", "", "HS256", "HS512", "RS1", "ES256K", "eddsa",
    ] {
        let head = b64(json!({"alg": alg, "kid": "r"}).to_string());
        for signature in ["", "AAAA"] {
            let token = format!("{head}.{}.{signature}", b64(&body));
            assert_eq!(verify(&token), Err(TokenError::Algorithm), "{alg}");
        }
    }
    // The classic: the public key, as PEM or DER, is the secret of an HMAC.
    let signed = format!("{}.{}", b64(r#"{"alg":"HS256","kid":"r"}"#), b64(&body));
    for secret in [rsa.public_pem(), rsa.public_der()] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let mac = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        assert_eq!(
            verify(&format!("{signed}.{}", b64(mac))),
            Err(TokenError::Algorithm)
        );
    }
    for (header, expected) in [
        (
            json!({"alg": "EdDSA", "kid": "e", "crit": []}),
            TokenError::Header,
        ),
        (
            json!({"alg": "EdDSA", "kid": "e", "crit": ["exp"], "exp": 1}),
            TokenError::Header,
        ),
        (
            json!({"alg": "EdDSA", "kid": "e", "b64": true}),
            TokenError::Header,
        ),
        (
            json!({"alg": "EdDSA", "kid": "e", "typ": "logout+jwt"}),
            TokenError::Header,
        ),
        (
            json!({"alg": "EdDSA", "kid": "e", "typ": 1}),
            TokenError::Header,
        ),
        (json!({"alg": "EdDSA", "kid": "unknown"}), TokenError::Key),
        (json!({"alg": "EdDSA", "kid": 1}), TokenError::Key),
        (json!({"alg": "EdDSA", "kid": "r"}), TokenError::Key),
        // Two keys would fit, so one has to be named.
        (json!({"alg": "EdDSA"}), TokenError::Key),
        (json!({"alg": "EdDSA", "kid": "e2"}), TokenError::Signature),
    ] {
        assert_eq!(
            verify(&ed.token(&header.to_string(), &body)),
            Err(expected),
            "{header}"
        );
    }
    // A key that comes with the token is not looked at.
    let header = json!({"alg": "EdDSA", "kid": "e", "jwk": stranger.jwk()}).to_string();
    assert_eq!(
        verify(&stranger.token(&header, &body)),
        Err(TokenError::Signature)
    );
    // Allowed by the key, not by the configuration.
    assert_eq!(
        verify(&rsa.token(r#"{"alg":"RS512","kid":"r"}"#, &body)),
        Err(TokenError::Algorithm)
    );
    assert_eq!(
        verify(&ed.token(r#"{"alg":"EdDSA","alg":"EdDSA","kid":"e"}"#, &body)),
        Err(TokenError::Json)
    );
    assert_eq!(
        verify(&ed.token(r#"{"alg":"EdDSA","kid":"e","typ":"at+JWT"}"#, &body)),
        Ok(())
    );
}

/// Guarantees: a token has one text. Padding, other alphabets, spare bits, white space, missing and
/// additional parts, and anything oversized are refused.
#[test]
fn refuses_other_forms() {
    let key = Key::new("Ed25519");
    let verifier = verifier(&json!({"keys": [key.jwk()]}), "[EdDSA]");
    let token = key.token(r#"{"alg":"EdDSA"}"#, &claims().to_string());
    assert!(verifier.verify(&token, NOW).is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, signature] = parts.as_slice() else {
        panic!()
    };
    // 64 bytes end in a digit of which four bits are spare.
    assert_eq!(signature.len(), 86);
    let last = signature.chars().last().unwrap();
    let spare = if last == 'A' {
        'B'
    } else {
        char::from(last as u8 + 1)
    };
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{head}.{body}"),
        format!("{token}."),
        format!("{token}.{signature}.{signature}"),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}.{}{spare}", &signature[..85]),
        format!("{head}.{body}.+{}", &signature[1..]),
        format!("{head}.{body}.é{}", &signature[1..]),
    ] {
        let error = verifier.verify(&bad, NOW).unwrap_err();
        assert!(
            matches!(error, TokenError::NotCompact | TokenError::Json),
            "{bad:?}: {error}"
        );
    }
    // Any other character at any place makes another token, which nobody signed.
    for at in 0..token.len() {
        for other in ["A", "B", ".", "\u{7f}"] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(
                verifier.verify(&changed, NOW).is_ok(),
                changed == token,
                "{changed}"
            );
        }
    }
    let long = with(claims(), "x", "y".repeat(8 << 10)).to_string();
    let long = key.token(r#"{"alg":"EdDSA"}"#, &long);
    assert_eq!(verifier.verify(&long, NOW), Err(TokenError::TooLong));
}

/// Guarantees (BOUNDED): a remembered token is the same one, is forgotten when it expires, and no
/// number of tokens takes more memory than configured.
#[test]
fn remembers_until_it_expires() {
    let key = Key::new("Ed25519");
    let jwks = json!({"keys": [key.jwk()]});
    let tokens: Tokens = serde_saphyr::from_str("cache_bytes: 16KiB").unwrap();
    let verifier = Verifier::new(&tokens, vec![issuer(&jwks, "[EdDSA]").unwrap()]).unwrap();
    let token = key.token(r#"{"alg":"EdDSA"}"#, &claims().to_string());
    let first = verifier.verify(&token, NOW).unwrap();
    let second = verifier.verify(&token, NOW + 359).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert_eq!(verifier.verify(&token, NOW + 360), Err(TokenError::Expired));
    assert_eq!(verifier.cached_bytes(), 0);
    for i in 0..60 {
        let claims = with(claims(), "sub", format!("agent-{i}")).to_string();
        verifier
            .verify(&key.token(r#"{"alg":"EdDSA"}"#, &claims), NOW)
            .unwrap();
        assert!(verifier.cached_bytes() <= 16 << 10);
    }
    assert!(verifier.cached_bytes() > 4 << 10);
    let tokens: Tokens = serde_saphyr::from_str("cache_bytes: 0").unwrap();
    let forgetful = Verifier::new(&tokens, vec![issuer(&jwks, "[EdDSA]").unwrap()]).unwrap();
    assert!(forgetful.verify(&token, NOW).is_ok());
    assert_eq!(forgetful.cached_bytes(), 0);
    // Neither the verifier nor a token shows what it holds.
    let shown = format!("{verifier:?} {first:?}");
    assert!(
        !shown.contains("groups") && !shown.contains(&token[..20]),
        "{shown}"
    );
}

/// Guarantees: a key set that is malformed, weak, ambiguous or secret is refused; keys for other
/// things are passed over.
#[test]
fn reads_key_sets() {
    let (rsa, ec, ed) = (
        Key::new("RSA").jwk(),
        Key::new("P-256").jwk(),
        Key::new("Ed25519").jwk(),
    );
    let one = |key: &serde_json::Value| issuer(&json!({"keys": [key]}), ALL).map(|_| ());
    let member = |member| Err(JwksError::Member { key: 1, member });
    assert_eq!(one(&rsa), Ok(()));
    for (key, expected) in [
        (Key::new("RSA1024").jwk(), member("n")),
        (with(rsa.clone(), "e", "AQ"), member("e")),
        (with(rsa.clone(), "e", "AAEAAQ"), member("e")),
        (with(rsa.clone(), "e", "BA"), member("e")),
        (with(rsa.clone(), "n", "!"), member("n")),
        (with(rsa.clone(), "alg", "ES256"), member("alg")),
        (with(rsa.clone(), "alg", "HS256"), member("alg")),
        (with(rsa.clone(), "alg", "none"), member("alg")),
        (with(rsa.clone(), "crv", "P-256"), member("crv")),
        (with(ec.clone(), "x", "AAAA"), member("x")),
        (with(ec.clone(), "y", b64([7; 32])), member("x")),
        (with(ed.clone(), "x", b64([7; 31])), member("x")),
        (with(ed.clone(), "kid", 1), member("kid")),
        (with(rsa.clone(), "d", "AQAB"), Err(JwksError::Secret(1))),
        (
            json!({"kty": "oct", "k": "AAAA"}),
            Err(JwksError::Secret(1)),
        ),
        (with(rsa.clone(), "use", "enc"), Err(JwksError::NoKey)),
        (
            with(rsa.clone(), "key_ops", json!(["encrypt"])),
            Err(JwksError::NoKey),
        ),
        (with(rsa.clone(), "alg", "RSA-OAEP"), Err(JwksError::NoKey)),
        (
            json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
            Err(JwksError::NoKey),
        ),
        (json!({"kty": "LMS"}), Err(JwksError::NoKey)),
        (json!(1), Err(JwksError::NotAKeySet)),
    ] {
        assert_eq!(one(&key), expected, "{key}");
    }
    let same =
        json!({"keys": [with(rsa.clone(), "kid", "k"), with(Key::new("RSA").jwk(), "kid", "k")]});
    assert_eq!(issuer(&same, ALL).unwrap_err(), JwksError::SameKid(2));
    // One `kid` for keys of two types is told apart by the algorithm.
    assert!(
        issuer(
            &json!({"keys": [with(rsa, "kid", "k"), with(ec, "kid", "k")]}),
            ALL
        )
        .is_ok()
    );
    let config = issuer_config("i", ALL);
    assert_eq!(
        Issuer::new(&config, r#"{"keys":[],"keys":[]}"#).unwrap_err(),
        JwksError::NotAKeySet
    );
    assert_eq!(
        Issuer::new(&config, &" ".repeat(300 << 10)).unwrap_err(),
        JwksError::TooLarge
    );
    let many: Vec<_> = (0..65).map(|_| ed.clone()).collect();
    assert_eq!(
        issuer(&json!({"keys": many}), ALL).unwrap_err(),
        JwksError::TooLarge
    );
    let jwks = json!({"keys": [ed]});
    let twice = vec![issuer(&jwks, ALL).unwrap(), issuer(&jwks, ALL).unwrap()];
    assert_eq!(
        Verifier::new(&Tokens::default(), twice).unwrap_err(),
        JwksError::SameIssuer
    );
    for bad in ["[none]", "[HS256]", "[]"] {
        let text = format!("issuer: i\naudiences: [a]\njwks: f\nalgorithms: {bad}\n");
        let config = serde_saphyr::from_str::<config::Issuer>(&text);
        assert!(
            config.is_err() || Issuer::new(&config.unwrap(), "{}").is_err(),
            "{bad}"
        );
    }
}

/// Guarantees: claims find the tenant, all pairs of a matcher are needed, and the claim that names
/// a tenant counts beside them.
#[test]
fn claims_find_the_tenant() {
    let key = Key::new("Ed25519");
    let verifier = verifier(&json!({"keys": [key.jwk()]}), "[EdDSA]");
    let yaml = "
tenants:
  acme: {match: [claim: {iss: 'https://idp.example', groups: acme-senders}]}
  globex: {match: [claim: {iss: 'https://idp.example', groups: globex-senders}]}
  initech: {match: [claim: {iss: 'https://elsewhere.example', groups: initech-senders}]}
";
    let site = Directory::new(&serde_saphyr::from_str(yaml).unwrap()).unwrap();
    let resolve = |groups: serde_json::Value, tenant: Option<&str>| {
        let mut claims = with(claims(), "groups", groups);
        claims["tenant"] = json!(tenant);
        if tenant.is_none() {
            claims.as_object_mut().unwrap().remove("tenant");
        }
        let token = key.token(r#"{"alg":"EdDSA"}"#, &claims.to_string());
        let proof = Proof {
            token: Some(verifier.verify(&token, NOW).unwrap()),
            ..Proof::default()
        };
        site.resolve(&proof, None)
            .map(|resolved| resolved.tenant.to_string())
    };
    let acme = Ok("acme".to_owned());
    assert_eq!(resolve(json!("acme-senders"), None), acme);
    assert_eq!(resolve(json!(["x", "acme-senders"]), None), acme);
    assert_eq!(resolve(json!([]), Some("acme")), acme);
    assert_eq!(resolve(json!("acme-senders"), Some("acme")), acme);
    assert_eq!(
        resolve(json!("initech-senders"), None),
        Err(Denied::UnknownIdentity)
    );
    assert!(matches!(
        resolve(json!(["acme-senders", "globex-senders"]), None),
        Err(Denied::Ambiguous(..))
    ));
    assert!(matches!(
        resolve(json!("acme-senders"), Some("globex")),
        Err(Denied::Ambiguous(..))
    ));
    assert!(matches!(
        resolve(json!([]), Some("nobody")),
        Err(Denied::UnlistedTenant(_))
    ));
}
