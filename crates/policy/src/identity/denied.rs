//! Why a sender gets no tenant.

use ident::{ParseTenantError, TenantId};

/// Whether the sender should prove who it is, or may not do what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedKind {
    /// gRPC `UNAUTHENTICATED`, HTTP 401.
    Unauthenticated,
    /// gRPC `PERMISSION_DENIED`, HTTP 403.
    PermissionDenied,
}

/// Why a sender gets no tenant. The text is for the audit log: it names tenants, and nothing that
/// is secret. What the sender is told is [`Denied::to_sender`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No certificate, no token, and no tenant for senders without.
    #[error("nothing is proven and there is no tenant for anonymous senders")]
    NothingProven,
    /// What is proven stands for nobody.
    #[error("the identity is proven but stands for no tenant")]
    UnknownIdentity,
    /// An opaque token that nobody was given.
    #[error("the opaque token is not known")]
    UnknownToken,
    /// More names than are looked up.
    #[error(
        "the certificate or the token has more than {} names",
        super::MAX_NAMES
    )]
    TooManyNames,
    /// What is proven stands for two tenants.
    #[error("the identity stands for `{0}` and for `{1}`")]
    Ambiguous(TenantId, TenantId),
    /// The identity names a tenant that is not configured.
    #[error("the identity names the tenant `{0}`, which is not configured")]
    UnlistedTenant(TenantId),
    /// The certificate's SPIFFE ID names something that can be no tenant.
    #[error("the tenant in the SPIFFE ID: {0}")]
    BadSpiffeTenant(ParseTenantError),
    /// A forwarder asked for a tenant that it may not choose.
    #[error("the forwarder may not choose the tenant `{0}`")]
    NotAllowed(TenantId),
    /// A forwarder asked for something that can be no tenant.
    #[error("the forwarder's choice: {0}")]
    BadChoice(ParseTenantError),
    /// A forwarder asked for nothing and has no default.
    #[error("the forwarder chose no tenant and has no default")]
    NothingChosen,
}

impl Denied {
    /// Which of the two kinds.
    pub const fn kind(&self) -> DeniedKind {
        match self {
            Denied::NothingProven
            | Denied::UnknownIdentity
            | Denied::UnknownToken
            | Denied::TooManyNames => DeniedKind::Unauthenticated,
            Denied::Ambiguous(..)
            | Denied::UnlistedTenant(_)
            | Denied::BadSpiffeTenant(_)
            | Denied::NotAllowed(_)
            | Denied::BadChoice(_)
            | Denied::NothingChosen => DeniedKind::PermissionDenied,
        }
    }

    /// The word in metrics and in the audit log.
    pub const fn reason(&self) -> &'static str {
        match self {
            Denied::NothingProven => "nothing_proven",
            Denied::UnknownIdentity => "unknown_identity",
            Denied::UnknownToken => "unknown_token",
            Denied::TooManyNames => "too_many_names",
            Denied::Ambiguous(..) => "ambiguous_identity",
            Denied::UnlistedTenant(_) => "unlisted_tenant",
            Denied::BadSpiffeTenant(_) => "bad_spiffe_tenant",
            Denied::NotAllowed(_) => "tenant_not_allowed",
            Denied::BadChoice(_) => "bad_tenant",
            Denied::NothingChosen => "no_tenant_chosen",
        }
    }

    /// What the sender is told. It tells nothing of the configuration or of other tenants.
    pub const fn to_sender(&self) -> &'static str {
        match self {
            Denied::NothingProven => {
                "the sender has not proven who it is\nhint: use a client certificate or a bearer token"
            }
            Denied::UnknownIdentity | Denied::UnknownToken | Denied::TooManyNames => {
                "the sender is not known here\nhint: ask the operator to map this identity to a tenant"
            }
            Denied::Ambiguous(..) | Denied::UnlistedTenant(_) | Denied::BadSpiffeTenant(_) => {
                "the sender's identity has no tenant\nhint: ask the operator which tenant it belongs to"
            }
            Denied::NotAllowed(_) => "the sender may not send for this tenant",
            Denied::BadChoice(_) => {
                "the header names no tenant\nhint: at most 150 of the letters, the digits and ! - _ . * ' ( )"
            }
            Denied::NothingChosen => {
                "the sender has to say whose data this is\nhint: name the tenant in the tenant header"
            }
        }
    }
}
