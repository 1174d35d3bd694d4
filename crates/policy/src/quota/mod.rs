//! How much a tenant may send.
