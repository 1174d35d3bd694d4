//! Test support: sample data, real servers, fault injection.
