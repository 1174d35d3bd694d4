//! `redaction`: what must not be kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use policy::identity::config::TenantName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Secret;

/// What must not be kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redaction {
    /// Whether anything is redacted at all. `false` keeps personal data and secrets as they come.
    pub enabled: bool,
    /// The policy: `default`, `forensic`, `airgap`, or the path of a file. What it extends is one
    /// of these three, or a file beside it.
    pub policy: String,
    /// A minisign public key. With it, each policy from a file must have a good signature in a file
    /// of the same name with `.minisig` after it.
    pub public_key: Option<String>,
    /// The key for rules that hash or tokenize: at least 16 bytes, kept elsewhere
    /// (`${file:PATH}`, `${env:NAME}`).
    pub key: Option<Secret>,
    /// What hashes carry to tell which key they were made with.
    pub key_id: String,
    /// Policies of tenants, each the path of a file. They can tighten the policy, not loosen it.
    pub tenants: BTreeMap<TenantName, PathBuf>,
}

impl Default for Redaction {
    fn default() -> Self {
        Redaction {
            enabled: true,
            policy: "default".to_owned(),
            public_key: None,
            key: None,
            key_id: "1".to_owned(),
            tenants: BTreeMap::new(),
        }
    }
}
