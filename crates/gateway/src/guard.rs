//! The seam to the guard: who sends, how much, and what must not be kept.

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::HeaderMap;
use bytes::Bytes;
use ident::{Certificate, Signal, TenantId};
use otlp::Summary;

use crate::Refusal;

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

impl Transport {
    /// The word in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

/// Who is at the other end of a connection. Made once a connection, shared by its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address it connected from.
    pub addr: SocketAddr,
    /// The listener it connected to.
    pub transport: Transport,
    /// What its certificate says of it, verified in the TLS handshake. None where the listener has
    /// no TLS, or asks for no certificate, or takes senders without one.
    pub certificate: Option<Arc<Certificate>>,
}

/// A request that is well formed, as the guard sees it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Who sent it.
    pub peer: &'a Peer,
    /// What it holds.
    pub signal: Signal,
    /// How much it holds.
    pub summary: Summary,
    /// The serialized `Export…ServiceRequest`.
    pub payload: Bytes,
}

impl Request<'_> {
    /// All of it, as it came, as `tenant`'s.
    pub fn admitted_to(self, tenant: TenantId) -> Admitted {
        Admitted {
            tenant,
            payload: self.payload,
            summary: self.summary,
            rejected_items: 0,
            message: None,
        }
    }
}

/// What may be kept of a request.
#[derive(Debug)]
pub struct Admitted {
    /// Whose it is (TENANT-BY-IDENTITY).
    pub tenant: TenantId,
    /// The bytes to keep, redacted (REDACT-FIRST).
    pub payload: Bytes,
    /// What they hold.
    pub summary: Summary,
    /// Items left out on purpose; they are told to the sender as a partial success.
    pub rejected_items: u64,
    /// Why, for the sender. A message without rejected items is a warning.
    pub message: Option<String>,
}

/// A request's head, before its body is read.
#[derive(Debug)]
pub struct Head<'a> {
    /// Who sends it.
    pub peer: &'a Peer,
    /// What it says it holds.
    pub signal: Signal,
    /// The HTTP headers; with gRPC, its metadata.
    pub headers: &'a HeaderMap,
}

/// Decides before anything is kept. Quick, without I/O; called on the thread that reads requests.
pub trait Guard: Send + Sync + 'static {
    /// Says who sends, from what connection and head prove. Where this refuses, no body is read.
    ///
    /// # Errors
    /// The refusal that the sender is given.
    fn enter(&self, head: &Head<'_>) -> Result<Box<dyn Pass>, Refusal>;
}

/// What one request was let in with. It is dropped when the request has been answered.
pub trait Pass: Send {
    /// Told of bytes of the request as they arrive or are unpacked; they are in memory until this
    /// is dropped.
    ///
    /// # Errors
    /// The refusal that the sender is given, where it may not have as many in flight.
    fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        let _ = bytes;
        Ok(())
    }

    /// Takes the request, all or part of it, or refuses it.
    ///
    /// # Errors
    /// The refusal that the sender is given.
    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal>;
}

/// The guard of a site without identities: everything is one tenant's and is kept as it is.
#[derive(Clone, Debug)]
pub struct OpenGuard {
    tenant: TenantId,
}

impl OpenGuard {
    /// Everything is `tenant`'s.
    pub fn new(tenant: TenantId) -> Self {
        OpenGuard { tenant }
    }
}

impl Guard for OpenGuard {
    fn enter(&self, _: &Head<'_>) -> Result<Box<dyn Pass>, Refusal> {
        Ok(Box::new(self.clone()))
    }
}

impl Pass for OpenGuard {
    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        Ok(request.admitted_to(self.tenant.clone()))
    }
}
