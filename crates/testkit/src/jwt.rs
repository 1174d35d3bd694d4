//! Signed tokens and key sets, made by the `openssl` command: an oracle that shares no code with
//! what verifies them.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::openssl::{self, openssl};

/// What a token is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a key of 2048 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Rs256, Kind::Es256, Kind::EdDsa];

    /// The word in a token's header (RFC 7518, RFC 8037).
    pub const fn alg(self) -> &'static str {
        match self {
            Kind::Rs256 => "RS256",
            Kind::Es256 => "ES256",
            Kind::EdDsa => "EdDSA",
        }
    }
}

/// One key of an issuer.
pub struct Signer {
    kind: Kind,
    kid: String,
    folder: PathBuf,
    key: PathBuf,
}

impl Signer {
    /// A new key with this id; its files are in `folder`.
    pub fn new(folder: &Path, kind: Kind, kid: &str) -> Self {
        let key = folder.join(format!("{kid}.jwt.key"));
        let arguments: &[&str] = match kind {
            Kind::Rs256 => openssl::RSA,
            Kind::Es256 => openssl::EC,
            Kind::EdDsa => &["-algorithm", "ED25519"],
        };
        openssl(&[&["genpkey", "-out", text(&key)], arguments].concat());
        Signer {
            kind,
            kid: kid.to_owned(),
            folder: folder.to_owned(),
            key,
        }
    }

    /// The public key as a JWK (RFC 7517).
    pub fn jwk(&self) -> Value {
        let (kid, alg) = (&self.kid, self.kind.alg());
        // The last bytes of the SubjectPublicKeyInfo are the key itself (RFC 5480, RFC 8410).
        let last = |count: usize| {
            let der = self.public("DER");
            der[der.len() - count..].to_vec()
        };
        match self.kind {
            Kind::Rs256 => {
                let said = openssl(&["rsa", "-in", text(&self.key), "-noout", "-modulus"]);
                let hex = said.trim().rsplit('=').next().unwrap_or_default();
                let n = encode(&unhex(hex));
                json!({"kty": "RSA", "use": "sig", "kid": kid, "alg": alg, "n": n, "e": "AQAB"})
            }
            Kind::Es256 => {
                let point = last(64);
                let (x, y) = (encode(&point[..32]), encode(&point[32..]));
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "alg": alg, "x": x, "y": y})
            }
            Kind::EdDsa => {
                let x = encode(&last(32));
                json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "alg": alg, "x": x})
            }
        }
    }

    /// The public key in a PEM file's text.
    pub fn public_pem(&self) -> Vec<u8> {
        self.public("PEM")
    }

    /// A token that says `claims`.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.kind.alg(), "kid": self.kid}), claims)
    }

    /// The same with a header of the caller's.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let input = self.folder.join("signed");
        std::fs::write(&input, &signed).expect("a file is written");
        let out = self.folder.join("signature");
        let (key, input, written) = (text(&self.key), text(&input), text(&out));
        match self.kind {
            Kind::Rs256 | Kind::Es256 => {
                openssl(&["dgst", "-sha256", "-sign", key, "-out", written, input]);
            }
            Kind::EdDsa => {
                openssl(&[
                    "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", input, "-out", written,
                ]);
            }
        }
        let mut signature = std::fs::read(&out).expect("the signature");
        if self.kind == Kind::Es256 {
            signature = [integer(&signature, 0), integer(&signature, 1)].concat();
        }
        format!("{signed}.{}", encode(&signature))
    }

    fn public(&self, form: &str) -> Vec<u8> {
        let out = self.folder.join("public");
        let (key, written) = (text(&self.key), text(&out));
        openssl(&[
            "pkey", "-in", key, "-pubout", "-outform", form, "-out", written,
        ]);
        std::fs::read(&out).expect("the public key")
    }
}

/// A JWK set of these keys.
pub fn key_set(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// A token with a header of the caller's and an HMAC-SHA-256 with `secret`, as a forger makes it.
pub fn hmac_token(folder: &Path, header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = unsigned(header, claims);
    let (input, out) = (folder.join("signed"), folder.join("mac"));
    std::fs::write(&input, &signed).expect("a file is written");
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("hexkey:{hex}");
    let (input, written) = (text(&input), text(&out));
    openssl(&[
        "dgst", "-sha256", "-mac", "HMAC", "-macopt", &key, "-binary", "-out", written, input,
    ]);
    let mac = std::fs::read(&out).expect("the code");
    format!("{signed}.{}", encode(&mac))
}

/// The first two parts of a token.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// One of the two numbers of an ECDSA signature, in 32 bytes (RFC 7518, section 3.4), out of the
/// DER that openssl writes: a sequence of two short integers.
fn integer(der: &[u8], which: usize) -> Vec<u8> {
    let mut rest = &der[2..];
    for _ in 0..which {
        rest = &rest[2 + usize::from(rest[1])..];
    }
    let number = &rest[2..2 + usize::from(rest[1])];
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut fixed = vec![0; 32 - (number.len() - zeros)];
    fixed.extend_from_slice(&number[zeros..]);
    fixed
}
