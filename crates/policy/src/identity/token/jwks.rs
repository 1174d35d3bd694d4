//! An issuer's public keys: a JWK set (RFC 7517) made into keys that are ready to verify.

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, KeyType};
use super::error::{JwksError, TokenError};
use super::json;
use crate::identity::config;

/// The largest key set that is read.
pub const MAX_JWKS_BYTES: usize = 256 << 10;
/// The most keys of one set.
pub const MAX_KEYS: usize = 64;

/// How long an RSA modulus may be: RFC 7518 section 3.3 asks for 2048 bits.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// One issuer with its keys.
pub struct Issuer {
    pub(super) name: Box<str>,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) tenant_claim: Option<Box<str>>,
    allowed: Vec<Algorithm>,
    keys: Vec<Key>,
}

/// A key for one algorithm.
struct Key {
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    public: ParsedPublicKey,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({:?}, {} keys)", self.name, self.keys.len())
    }
}

impl Issuer {
    /// Reads the issuer's key set. Keys of other types, for encryption, or for algorithms that are
    /// not allowed are left out, as RFC 7517 section 5 asks for.
    ///
    /// # Errors
    /// If a key that would be used is malformed or weak, or any key is secret.
    pub fn new(config: &config::Issuer, jwks: &str) -> Result<Self, JwksError> {
        if config.algorithms.is_empty() || config.audiences.is_empty() {
            return Err(JwksError::NothingAllowed);
        }
        let mut keys: Vec<Key> = Vec::new();
        for (at, key) in set(jwks)?.iter().enumerate() {
            let number = at + 1;
            let Value::Object(key) = key else {
                return Err(JwksError::NotAKeySet);
            };
            for new in read(number, key, &config.algorithms)? {
                let same = |old: &Key| old.algorithm == new.algorithm && old.kid == new.kid;
                if new.kid.is_some() && keys.iter().any(same) {
                    return Err(JwksError::SameKid(number));
                }
                keys.push(new);
            }
        }
        if keys.is_empty() {
            return Err(JwksError::NoKey);
        }
        Ok(Issuer {
            name: config.issuer.as_str().into(),
            audiences: config.audiences.iter().map(|a| a.as_str().into()).collect(),
            tenant_claim: config.tenant_claim.as_ref().map(|c| c.as_str().into()),
            allowed: config.algorithms.clone(),
            keys,
        })
    }

    /// The key that a token means: the one of its `kid`, or without one the only key there is for
    /// the algorithm.
    pub(super) fn key(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<&ParsedPublicKey, TokenError> {
        if !self.allowed.contains(&algorithm) {
            return Err(TokenError::Algorithm);
        }
        let mut fit = self.keys.iter().filter(|key| {
            key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid)
        });
        match (fit.next(), fit.next()) {
            (Some(key), None) => Ok(&key.public),
            _ => Err(TokenError::Key),
        }
    }
}

fn set(jwks: &str) -> Result<Vec<Value>, JwksError> {
    if jwks.len() > MAX_JWKS_BYTES {
        return Err(JwksError::TooLarge);
    }
    let mut set = json::object(jwks.as_bytes()).ok_or(JwksError::NotAKeySet)?;
    match set.remove("keys") {
        Some(Value::Array(keys)) if keys.len() <= MAX_KEYS => Ok(keys),
        Some(Value::Array(_)) => Err(JwksError::TooLarge),
        _ => Err(JwksError::NotAKeySet),
    }
}

/// One entry for each allowed algorithm that the key is for.
fn read(
    number: usize,
    key: &Map<String, Value>,
    allowed: &[Algorithm],
) -> Result<Vec<Key>, JwksError> {
    let wrong = |member| JwksError::Member {
        key: number,
        member,
    };
    let text = |member| match key.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(wrong(member)),
    };
    let kty = text("kty")?.ok_or(wrong("kty"))?;
    // RFC 7518 section 6: `d` and `oth` of private keys, `k` of symmetric ones.
    if kty == "oct"
        || ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .iter()
            .any(|m| key.contains_key(*m))
    {
        return Err(JwksError::Secret(number));
    }
    if text("use")?.is_some_and(|of| of != "sig") || !may_verify(key).ok_or(wrong("key_ops"))? {
        return Ok(Vec::new());
    }
    let key_type = match (kty, text("crv")?) {
        ("RSA", None) => KeyType::Rsa,
        ("EC", Some("P-256")) => KeyType::P256,
        ("EC", Some("P-384")) => KeyType::P384,
        ("OKP", Some("Ed25519")) => KeyType::Ed25519,
        ("RSA", Some(_)) | ("EC" | "OKP", None) => return Err(wrong("crv")),
        _ => return Ok(Vec::new()),
    };
    let only = match text("alg")? {
        None => None,
        Some(alg) => match Algorithm::named(alg) {
            Some(only) if only.key_type() == key_type => Some(only),
            Some(_) => return Err(wrong("alg")),
            // For something else, as `RSA-OAEP` is; and `HS256` is for no key of this type.
            None if alg.starts_with("HS") || alg == "none" => return Err(wrong("alg")),
            None => return Ok(Vec::new()),
        },
    };
    let kid = text("kid")?;
    let mut keys = Vec::new();
    for algorithm in Algorithm::ALL {
        let fits = algorithm.key_type() == key_type && only.is_none_or(|only| only == algorithm);
        if fits && allowed.contains(&algorithm) {
            keys.push(Key {
                kid: kid.map(Into::into),
                algorithm,
                public: public(key, algorithm).map_err(wrong)?,
            });
        }
    }
    Ok(keys)
}

/// Whether `key_ops`, where there is one, has `verify`; `None` if it is not a list.
fn may_verify(key: &Map<String, Value>) -> Option<bool> {
    match key.get("key_ops") {
        None => Some(true),
        Some(Value::Array(list)) => Some(list.iter().any(|op| op == "verify")),
        Some(_) => None,
    }
}

fn public(key: &Map<String, Value>, algorithm: Algorithm) -> Result<ParsedPublicKey, &'static str> {
    let number = |member: &'static str| {
        let text = key.get(member).and_then(Value::as_str).ok_or(member)?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| member)
    };
    // RFC 7518 section 6.2.1.2: coordinates have the full length of the field.
    let coordinate = |member: &'static str, len| match number(member)? {
        bytes if bytes.len() == len => Ok(bytes),
        _ => Err(member),
    };
    if let Some(parameters) = algorithm.rsa() {
        let (n, e) = (number("n")?, number("e")?);
        let bits = 8 * n.len() as u32 - n.first().map_or(0, |first| first.leading_zeros());
        if n.first() == Some(&0) || !RSA_BITS.contains(&bits) {
            return Err("n");
        }
        // An exponent of 1 would make everything its own signature.
        if matches!(e.as_slice(), [] | [0, ..] | [1 | 2]) || e.last().is_none_or(|e| e % 2 == 0) {
            return Err("e");
        }
        return RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .map_err(|_| "n");
    }
    let bytes = match algorithm.key_type() {
        KeyType::Ed25519 => coordinate("x", 32)?,
        curve => {
            let len = if curve == KeyType::P256 { 32 } else { 48 };
            [vec![4], coordinate("x", len)?, coordinate("y", len)?].concat()
        }
    };
    let algorithm = algorithm.other().ok_or("alg")?;
    ParsedPublicKey::new(algorithm, bytes).map_err(|_| "x")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.4; its payload is no JSON, so only the signature is looked at.
    #[test]
    fn the_signature_of_rfc_8037_is_good() {
        let config: config::Issuer =
            serde_saphyr::from_str("{issuer: i, audiences: [a], jwks: f, algorithms: [EdDSA]}")
                .unwrap();
        let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let issuer = Issuer::new(&config, jwks).unwrap();
        let key = issuer.key(Algorithm::EdDsa, None).unwrap();
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.verify_sig(signed, &signature).is_ok());
        signature[0] ^= 1;
        assert!(key.verify_sig(signed, &signature).is_err());
    }
}
