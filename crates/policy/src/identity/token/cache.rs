//! Verified tokens, so that a signature is verified once and not with each request (BOUNDED).
//!
//! Only tokens with a good signature get in, so nobody but an issuer can fill it.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::claims::VerifiedToken;
use crate::identity::digest::Digest;

/// By SHA-256 of the whole token, signature included.
pub(super) struct TokenCache(Cache<Digest, Arc<VerifiedToken>, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<Digest, Arc<VerifiedToken>> for Bytes {
    fn weight(&self, _: &Digest, token: &Arc<VerifiedToken>) -> u64 {
        token.weight()
    }
}

impl TokenCache {
    pub(super) fn new(bytes: u64) -> Self {
        let tokens = usize::try_from(bytes / 1024).unwrap_or(usize::MAX);
        TokenCache(Cache::with_weighter(
            tokens.clamp(16, 1 << 20),
            bytes,
            Bytes,
        ))
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<VerifiedToken>> {
        self.0.get(digest)
    }

    pub(super) fn insert(&self, digest: Digest, token: Arc<VerifiedToken>) {
        self.0.insert(digest, token);
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.0.remove(digest);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
