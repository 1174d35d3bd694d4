//! Signed policies: detached signatures as minisign makes them (VERIFY-WITHOUT-US).
//!
//! `minisign -Sm policy.yaml` writes `policy.yaml.minisig`; `minisign -Vm policy.yaml -p KEY`
//! checks the same as [`verify`]. The trusted comment is signed as well and checked along.
//!
//! Refused: signatures of another key, the legacy form that is not prehashed, anything after the
//! signature's four lines. Not done here: reading files, and saying which key to trust.

use minisign_verify::{Error, PublicKey, Signature};

/// The longest public key and the longest signature that are read, in bytes.
pub const MAX_BYTES: u64 = 16 << 10;

/// Why a signature is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The public key cannot be read.
    #[error(
        "this is no minisign public key\nhint: give the line of `minisign.pub` that begins with \
         RW, or the file itself"
    )]
    PublicKey,
    /// The signature cannot be read.
    #[error(
        "this is no minisign signature\nhint: sign the policy again: `minisign -Sm POLICY` writes \
         POLICY.minisig"
    )]
    Malformed,
    /// It is not prehashed, as minisign made them before 0.10 and makes them with `-l`.
    #[error(
        "the signature has minisign's legacy form\nhint: sign the policy again without `-l`, with \
         minisign 0.10 or later"
    )]
    Legacy,
    /// It was made with another key.
    #[error(
        "the signature was made with another key\nhint: ask whoever signs your policies which \
         key is theirs; do not take the key from where the policy came from"
    )]
    OtherKey,
    /// It is of another text, or was tampered with.
    #[error(
        "the signature does not fit the policy: one of them was changed\nhint: get both again \
         from whoever signs your policies, and do not use this policy"
    )]
    Invalid,
}

/// Checks that the holder of a key has signed a policy.
///
/// The key is the text of `minisign.pub` or its second line alone, the signature is the text of a
/// `.minisig` file.
///
/// # Errors
/// If that is not so, or cannot be told.
pub fn verify(
    public_key_text: &str,
    policy_text: &str,
    signature_text: &str,
) -> Result<(), SignatureError> {
    let key = public_key(public_key_text)?;
    if signature_text.len() as u64 > MAX_BYTES || signature_text.trim_end().lines().count() != 4 {
        return Err(SignatureError::Malformed);
    }
    let signature = Signature::decode(signature_text).map_err(|_| SignatureError::Malformed)?;
    let legacy = false;
    key.verify(policy_text.as_bytes(), &signature, legacy)
        .map_err(|error| match error {
            Error::UnexpectedKeyId => SignatureError::OtherKey,
            Error::UnexpectedAlgorithm => SignatureError::Legacy,
            _ => SignatureError::Invalid,
        })
}

/// Whether a text is a public key, as [`verify`] takes it.
pub fn is_public_key(text: &str) -> bool {
    public_key(text).is_ok()
}

fn public_key(text: &str) -> Result<PublicKey, SignatureError> {
    if text.len() as u64 > MAX_BYTES {
        return Err(SignatureError::PublicKey);
    }
    let lines: Vec<&str> = text.trim().lines().map(str::trim).collect();
    let line = match lines[..] {
        [line] => line,
        [comment, line] if comment.starts_with("untrusted comment:") => line,
        _ => return Err(SignatureError::PublicKey),
    };
    PublicKey::from_base64(line).map_err(|_| SignatureError::PublicKey)
}
