//! Fingerprints of metric series, from the wire bytes (NO-TREE).
//!
//! A series is a resource, a scope, a metric and a point's attributes. Attributes count whatever
//! their order; they are hashed as encoded, each by a keyed SipHash-1-3, and the hashes are added.
//! Who does not know the key cannot make two series look like one.

use std::hash::Hasher;

use ident::Signal;
use otlp::view::{self, Attributes};
use siphasher::sip::SipHasher13;

/// The key of the fingerprints: random, made once a process, kept to it.
#[derive(Clone, Copy)]
pub struct Fingerprints {
    key: SipHasher13,
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprints")
    }
}

impl Fingerprints {
    /// With this key.
    pub fn new(key: [u64; 2]) -> Self {
        let [a, b] = key;
        Fingerprints {
            key: SipHasher13::new_with_keys(a, b),
        }
    }

    /// Calls `point` with the fingerprint of each data point of a checked metrics request, in the
    /// order of the bytes, which is that of [`otlp::edit::retain`].
    pub fn of_points(&self, request: &[u8], mut point: impl FnMut(u64)) {
        for resource in view::resources(Signal::Metrics, request) {
            let of_resource = self.attributes(resource.attributes());
            for scope in resource.scopes() {
                let of_scope = self
                    .attributes(scope.attributes())
                    .wrapping_add(self.bytes(1, scope.name().as_bytes()))
                    .wrapping_add(self.bytes(2, scope.version().as_bytes()));
                for metric in scope.metrics() {
                    let kind = metric.kind().map_or(0, |kind| kind as u8 + 1);
                    let of_metric = self
                        .bytes(3, metric.name().as_bytes())
                        .wrapping_add(self.bytes(4, metric.unit().as_bytes()))
                        .wrapping_add(u64::from(kind));
                    for one in metric.points() {
                        let mut whole = self.key;
                        whole.write_u64(of_resource);
                        whole.write_u64(of_scope);
                        whole.write_u64(of_metric);
                        whole.write_u64(self.attributes(one.attributes()));
                        point(whole.finish());
                    }
                }
            }
        }
    }

    fn attributes(&self, attributes: Attributes<'_>) -> u64 {
        attributes.fold(0, |sum, pair| sum.wrapping_add(self.bytes(0, pair.body())))
    }

    fn bytes(&self, what: u8, bytes: &[u8]) -> u64 {
        let mut hasher = self.key;
        hasher.write_u8(what);
        hasher.write(bytes);
        hasher.finish()
    }
}
