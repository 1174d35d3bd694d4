//! Signed policies. The oracles are the crate `minisign`, which signs, and a signature that the
//! program of this name made.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use minisign::{KeyPair, PublicKeyBox, sign};
use policy::redaction::signature::{SignatureError, is_public_key, verify};

const POLICY: &str = "version: 1\nrules: [{ name: r, keys: [k], action: drop }]\n";

/// Made once with `minisign` of POLICY: this form must be read for ever.
const KEY: &str = include_str!("signed/minisign.pub");
const SIGNATURE: &str = include_str!("signed/policy.yaml.minisig");

/// Made by the program `minisign` of the text `test`; known from its author's documentation.
const PROGRAM_KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const PROGRAM_SIGNATURE: &str = "\
untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";

/// A new key pair and its signature of a text.
fn signed(text: &str) -> (String, String) {
    let pair = KeyPair::generate_unencrypted_keypair().expect("makes keys");
    let signature = sign(
        Some(&pair.pk),
        &pair.sk,
        text.as_bytes(),
        Some("approved by the security officer"),
        Some("of a policy"),
    )
    .expect("signs");
    let key: PublicKeyBox = pair.pk.to_box().expect("a key");
    (key.to_string(), signature.into_string())
}

/// Guarantees: a good signature is taken, with the key as a file or as its one line.
#[test]
fn a_good_signature_is_taken() {
    assert_eq!(verify(PROGRAM_KEY, "test", PROGRAM_SIGNATURE), Ok(()));
    let other = verify(PROGRAM_KEY, "tent", PROGRAM_SIGNATURE);
    assert_eq!(other, Err(SignatureError::Invalid));
    for (key, signature) in [
        (KEY.to_owned(), SIGNATURE.to_owned()),
        signed(POLICY),
        signed(POLICY),
    ] {
        assert_eq!(verify(&key, POLICY, &signature), Ok(()));
        let line = key.lines().nth(1).expect("two lines");
        assert_eq!(verify(line, POLICY, &signature), Ok(()));
        assert_eq!(
            verify(line, POLICY, &signature.replace('\n', "\r\n")),
            Ok(())
        );
        assert!(is_public_key(line) && is_public_key(&key));
    }
}

/// Guarantees: a changed policy, trusted comment or signature is refused, whatever is changed.
#[test]
fn what_was_tampered_with_is_refused() {
    for at in 0..POLICY.len() {
        let mut text = POLICY.as_bytes().to_vec();
        text[at] ^= 1;
        let text = String::from_utf8(text).expect("still text");
        assert_eq!(
            verify(KEY, &text, SIGNATURE),
            Err(SignatureError::Invalid),
            "{at}"
        );
    }
    for text in ["", &POLICY[1..], &format!("{POLICY}\n")] {
        assert_eq!(verify(KEY, text, SIGNATURE), Err(SignatureError::Invalid));
    }
    let comment = SIGNATURE.replace("approved", "rejected");
    assert_ne!(comment, SIGNATURE);
    assert_eq!(verify(KEY, POLICY, &comment), Err(SignatureError::Invalid));
    // The untrusted comment is what it says.
    let untrusted = SIGNATURE.replacen("untrusted comment: ", "untrusted comment: x", 1);
    assert_eq!(verify(KEY, POLICY, &untrusted), Ok(()));
    let lines: Vec<&str> = SIGNATURE.lines().collect();
    for line in [1, 3] {
        for at in 0..lines[line].len() {
            let mut text = lines[line].as_bytes().to_vec();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(text).expect("still text");
            let mut lines = lines.clone();
            lines[line] = &text;
            assert!(
                verify(KEY, POLICY, &lines.join("\n")).is_err(),
                "{line}:{at}"
            );
        }
    }
}

/// Guarantees: a signature by another key is refused, also one that claims this key's id, and
/// signatures cannot be put together from good ones.
#[test]
fn another_key_is_refused() {
    let (other, theirs) = signed(POLICY);
    assert_eq!(verify(KEY, POLICY, &theirs), Err(SignatureError::OtherKey));
    assert_eq!(
        verify(&other, POLICY, SIGNATURE),
        Err(SignatureError::OtherKey)
    );
    let line = |text: &str, at: usize| text.lines().nth(at).expect("a line").to_owned();
    // A new key that bears the id of the trusted one: what follows the id is the key.
    let (mine, alien) = (decode(&line(KEY, 1)), decode(&line(&theirs, 1)));
    let forged = encode(&[&alien[..2], &mine[2..10], &alien[10..]].concat());
    let forged = theirs.replace(&line(&theirs, 1), &forged);
    assert_eq!(verify(KEY, POLICY, &forged), Err(SignatureError::Invalid));
    let mixed = SIGNATURE.replace(&line(SIGNATURE, 3), &line(&theirs, 3));
    assert_eq!(verify(KEY, POLICY, &mixed), Err(SignatureError::Invalid));
}

/// Guarantees: the legacy form, what is no key or no signature, and what has more to it are told
/// apart and refused, each with what to do.
#[test]
fn what_cannot_be_read_is_refused() {
    let line = SIGNATURE.lines().nth(1).expect("a line");
    let mut legacy = decode(line);
    legacy[..2].copy_from_slice(b"Ed");
    let legacy = SIGNATURE.replace(line, &encode(&legacy));
    let long = "x".repeat(1 << 20);
    let more = format!("{SIGNATURE}more\n");
    let cut = SIGNATURE.lines().take(3).collect::<Vec<_>>().join("\n");
    for (key, signature, expect) in [
        (KEY, &*legacy, SignatureError::Legacy),
        (KEY, "", SignatureError::Malformed),
        (KEY, KEY, SignatureError::Malformed),
        (KEY, POLICY, SignatureError::Malformed),
        (KEY, &*more, SignatureError::Malformed),
        (KEY, &*cut, SignatureError::Malformed),
        (KEY, &*long, SignatureError::Malformed),
        ("", SIGNATURE, SignatureError::PublicKey),
        ("RWQ", SIGNATURE, SignatureError::PublicKey),
        (SIGNATURE, SIGNATURE, SignatureError::PublicKey),
        (&*long, SIGNATURE, SignatureError::PublicKey),
    ] {
        assert_eq!(verify(key, POLICY, signature), Err(expect));
        assert!(expect.to_string().contains("\nhint: "));
    }
}

fn decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
