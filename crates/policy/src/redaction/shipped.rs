//! The policies that ship inside the binary.

/// Their names.
pub const NAMES: [&str; 3] = ["default", "forensic", "airgap"];

/// The text of a shipped policy.
pub fn shipped(name: &str) -> Option<&'static str> {
    Some(match name {
        "default" => include_str!("../../../../assets/policies/default.yaml"),
        "forensic" => include_str!("../../../../assets/policies/forensic.yaml"),
        "airgap" => include_str!("../../../../assets/policies/airgap.yaml"),
        _ => return None,
    })
}
