//! Detectors: what looks like personal data or a secret within a value.
