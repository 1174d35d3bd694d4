//! Signed policies: minisign signatures, which `minisign -V` checks as well.

use minisign_verify::{PublicKey, Signature};

/// Why a policy's signature does not count. It says nothing of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a minisign public key.
    #[error(
        "the public key is not minisign's\nhint: give the line that `minisign -G` prints, or the text of its `.pub` file"
    )]
    PublicKey,
    /// Not a minisign signature.
    #[error(
        "the signature is not minisign's\nhint: sign the policy with `minisign -S -m POLICY`, which writes POLICY.minisig"
    )]
    Signature,
    /// It is of another key, of another text, or was changed.
    #[error(
        "the signature does not fit the policy and the public key\nhint: the policy was changed after it was signed, or was signed with another key; do not use it before you know which"
    )]
    Mismatch,
}

/// Whether `signature` (the text of a `.minisig` file) was made over `policy` with the secret half
/// of `public_key` (a line of Base64, or the text of a `.pub` file).
///
/// # Errors
/// If not, or if one of the three is not what it should be.
pub fn verify(public_key: &str, policy: &str, signature: &str) -> Result<(), SignatureError> {
    let public_key = public_key.trim();
    let key = PublicKey::from_base64(public_key)
        .or_else(|_| PublicKey::decode(public_key))
        .map_err(|_| SignatureError::PublicKey)?;
    let signature = Signature::decode(signature).map_err(|_| SignatureError::Signature)?;
    // Not the legacy form, which signs the text itself and not its digest.
    key.verify(policy.as_bytes(), &signature, false)
        .map_err(|_| SignatureError::Mismatch)
}
