//! Keys and signatures by the openssl command line: the oracle of the token tests.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic
)]

use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key in a directory of its own.
pub struct Key {
    dir: tempfile::TempDir,
    kind: &'static str,
}

impl Key {
    pub fn new(kind: &'static str) -> Key {
        let key = Key {
            dir: tempfile::tempdir().unwrap(),
            kind,
        };
        let options: &[&str] = match kind {
            "RSA" => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "RSA1024" => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
            "P-256" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "P-384" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "Ed25519" => &["-algorithm", "ed25519"],
            other => panic!("{other}"),
        };
        let out = key.path();
        let out = out.to_str().unwrap();
        openssl(&[&["genpkey", "-out", out], options].concat());
        key
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// The public key, a `SubjectPublicKeyInfo`.
    pub fn public_der(&self) -> Vec<u8> {
        let path = self.path();
        openssl(&[
            "pkey",
            "-in",
            path.to_str().unwrap(),
            "-pubout",
            "-outform",
            "DER",
        ])
    }

    pub fn public_pem(&self) -> Vec<u8> {
        let path = self.path();
        openssl(&["pkey", "-in", path.to_str().unwrap(), "-pubout"])
    }

    /// The members of the public JWK that depend on the key.
    pub fn jwk(&self) -> serde_json::Value {
        let der = self.public_der();
        let end = |len: usize| &der[der.len() - len..];
        match self.kind {
            "RSA" | "RSA1024" => {
                let path = self.path();
                let args = ["rsa", "-in", path.to_str().unwrap(), "-noout", "-modulus"];
                let text = String::from_utf8(openssl(&args)).unwrap();
                let digits = text.trim().strip_prefix("Modulus=").unwrap().as_bytes();
                let modulus: Vec<u8> = digits
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                    .collect();
                serde_json::json!({"kty": "RSA", "n": b64(modulus), "e": "AQAB"})
            }
            "P-256" => serde_json::json!({"kty": "EC", "crv": "P-256",
                "x": b64(&end(64)[..32]), "y": b64(end(32))}),
            "P-384" => serde_json::json!({"kty": "EC", "crv": "P-384",
                "x": b64(&end(96)[..48]), "y": b64(end(48))}),
            _ => serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": b64(end(32))}),
        }
    }

    /// Signs as JWS does.
    pub fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let input = self.dir.path().join("message");
        std::fs::write(&input, message).unwrap();
        let (path, input) = (self.path(), input.to_str().unwrap().to_owned());
        let path = path.to_str().unwrap();
        if alg == "EdDSA" {
            return openssl(&["pkeyutl", "-sign", "-inkey", path, "-rawin", "-in", &input]);
        }
        let hash = format!("-sha{}", &alg[2..]);
        let mut args = vec!["dgst", &hash, "-sign", path];
        if alg.starts_with("PS") {
            args.extend([
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                "rsa_pss_saltlen:digest",
            ]);
        }
        args.push(&input);
        let signature = openssl(&args);
        match alg {
            "ES256" => fixed(&signature, 32),
            "ES384" => fixed(&signature, 48),
            _ => signature,
        }
    }

    /// A whole token.
    pub fn token(&self, header: &str, claims: &str) -> String {
        let parsed: serde_json::Value = serde_json::from_str(header).unwrap();
        let alg = parsed["alg"].as_str().unwrap();
        let signed = format!("{}.{}", b64(header), b64(claims));
        let signature = self.sign(alg, signed.as_bytes());
        format!("{signed}.{}", b64(signature))
    }
}

/// An ECDSA signature from DER (two INTEGERs) to two numbers of a fixed length (RFC 7518 3.4).
fn fixed(der: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = if der[1] & 0x80 == 0 {
        &der[2..]
    } else {
        &der[3..]
    };
    for _ in 0..2 {
        assert_eq!(rest[0], 2);
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        out.extend(std::iter::repeat_n(0, len - number.len()));
        out.extend_from_slice(number);
        rest = after;
    }
    out
}

pub fn openssl(args: &[&str]) -> Vec<u8> {
    let out = Command::new("openssl").args(args).output().unwrap();
    assert!(
        out.status.success(),
        "openssl {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}
