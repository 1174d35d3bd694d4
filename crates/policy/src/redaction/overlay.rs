//! Whether a tenant's overlay tightens a policy.
//!
//! It cannot loosen it, whatever it says: of two answers the stricter counts (see
//! [`super::decide`]). But a rule that tries is a misunderstanding, and its author is told.

use super::Action;
use super::document::{Mode, Unseen};
use super::error::PolicyError;
use super::load::{Joined, Sourced};
use super::pattern::Pattern;
use super::policy::{Policy, Rule};

/// Refuses an overlay of which a setting or a rule would loosen the policy.
pub(super) fn check(policy: &Policy) -> Result<(), PolicyError> {
    let Some(overlay) = policy.overlay.as_deref() else {
        return Ok(());
    };
    settings(overlay, &policy.base)?;
    for (index, rule) in policy.written().filter(|(_, rule)| rule.layer == 0) {
        let Some(text) = overlay.rules.get(usize::from(index)) else {
            continue;
        };
        let source = &overlay.sources[text.source];
        let name = &text.value.name;
        let refuse = |what: String, than: String| {
            let message = format!(
                "the rule `{}` would loosen the policy: it {what}",
                rule.name
            );
            let hint = format!("{than}; a tenant's overlay may only tighten");
            Err(source.error(name, name.value.len(), message, hint))
        };
        let does = rule.action.as_str();
        if let Some((what, base)) = looser_about_keys(policy, rule) {
            return match base {
                Some(base) => refuse(
                    format!("has `{does}` for `{what}`"),
                    format!(
                        "the policy's rule `{}` has `{}`",
                        base.name,
                        base.action.as_str()
                    ),
                ),
                None => refuse(
                    format!("has `{does}` for `{what}`"),
                    "the policy does not list that key".to_owned(),
                ),
            };
        }
        if let Some(base) = base_rules(policy).find(|base| looser_about_found(rule, base)) {
            return refuse(
                format!("has `{does}` for what its detectors find"),
                format!(
                    "the policy's rule `{}` has `{}`",
                    base.name,
                    base.action.as_str()
                ),
            );
        }
        if let Some(base) = base_rules(policy).find(|base| looser_about_fields(rule, base)) {
            return refuse(
                format!("has `{does}` for a field"),
                format!(
                    "the policy's rule `{}` has `{}`",
                    base.name,
                    base.action.as_str()
                ),
            );
        }
    }
    Ok(())
}

fn base_rules(policy: &Policy) -> impl Iterator<Item = &Rule> {
    policy
        .written()
        .map(|(_, rule)| rule)
        .filter(|rule| rule.layer == 1)
}

fn settings(overlay: &Joined, base: &Joined) -> Result<(), PolicyError> {
    fn refuse<T>(
        overlay: &Joined,
        at: &Sourced<document::Located<T>>,
        message: &str,
    ) -> Result<(), PolicyError> {
        let hint = "leave it out: a tenant's overlay may only tighten";
        Err(overlay.sources[at.source].error(&at.value, 1, message.to_owned(), hint))
    }
    if let Some(mode) = &overlay.mode
        && mode.value.value == Mode::Block
        && base.mode.as_ref().map(|mode| mode.value.value) == Some(Mode::Allow)
    {
        return refuse(
            overlay,
            mode,
            "`mode: block` would loosen the policy, which lists",
        );
    }
    let keeps = |setting: &Option<Sourced<document::Located<Unseen>>>| {
        setting.as_ref().map(|s| s.value.value) == Some(Unseen::Keep)
    };
    for (name, mine, theirs) in [
        (
            "unknown_fields",
            &overlay.unknown_fields,
            &base.unknown_fields,
        ),
        ("binary", &overlay.binary, &base.binary),
    ] {
        if let Some(at) = mine
            && keeps(mine)
            && !keeps(theirs)
        {
            let message = format!("`{name}: keep` would loosen the policy, which drops");
            return refuse(overlay, at, &message);
        }
    }
    Ok(())
}

/// The first key of the overlay's rule about which the policy always is stricter, and by which of
/// its rules; none if the policy does not list the key.
fn looser_about_keys<'p>(policy: &'p Policy, rule: &Rule) -> Option<(&'p str, Option<&'p Rule>)> {
    if rule.detect_bit.is_some() {
        return None;
    }
    let strict = rule.action.strictness(rule.part);
    for pattern in &rule.keys {
        let covers = |base: &&Rule| {
            base.detect_bit.is_none()
                && base.contexts & rule.contexts == rule.contexts
                && base.keys.iter().any(|key| key.covers(pattern))
        };
        let named = |pattern: &Pattern| -> &'p str {
            let text = pattern.to_string();
            find_text(policy, &text)
        };
        match base_rules(policy).find(covers) {
            Some(base) if base.action.strictness(base.part) > strict => {
                return Some((named(pattern), Some(base)));
            }
            Some(_) => {}
            None => {
                let listed = base_rules(policy).any(|base| {
                    base.detect_bit.is_none()
                        && base.contexts & rule.contexts != 0
                        && base.keys.iter().any(|key| key.overlaps(pattern))
                });
                if policy.modes[1] == Mode::Allow && !listed && rule.action != Action::Drop {
                    return Some((named(pattern), None));
                }
            }
        }
    }
    None
}

/// The key as the overlay wrote it.
fn find_text<'p>(policy: &'p Policy, lower: &str) -> &'p str {
    policy
        .overlay
        .iter()
        .flat_map(|overlay| &overlay.rules)
        .flat_map(|rule| &rule.value.keys)
        .map(|key| key.value.as_str())
        .find(|key| key.eq_ignore_ascii_case(lower))
        .unwrap_or("a key")
}

/// Whether the overlay does less about what a detector finds than the policy does everywhere.
fn looser_about_found(rule: &Rule, base: &Rule) -> bool {
    rule.detect_bit.is_some()
        && base.detect_bit.is_some()
        && base.keys.is_empty()
        && base.contexts & rule.contexts != 0
        && rule.action.strictness(rule.part) < base.action.strictness(base.part)
        && rule.detectors.iter().any(|d| base.detectors.contains(d))
}

fn looser_about_fields(rule: &Rule, base: &Rule) -> bool {
    rule.detect_bit.is_none()
        && base.detect_bit.is_none()
        && base.signals & rule.signals == rule.signals
        && rule.action.strictness(rule.part) < base.action.strictness(base.part)
        && rule.fields.iter().any(|field| base.fields.contains(field))
}
