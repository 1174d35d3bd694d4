//! From what a sender has proven to its tenant.
