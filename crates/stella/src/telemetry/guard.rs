//! The guard as a profile describes it, and the key sets that it reads anew when they change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use guard::{Identities, Policies, Site, SiteGuard};
use ident::TenantId;
use meter::{CounterVec, Gauge, Meter};
use policy::identity::Directory;
use policy::identity::config::Tokens;
use policy::identity::token::{Issuer, Verifier};
use policy::quota::Admission;
use policy::redaction::{Policy, SiteKey, shipped, signature};
use profile::{Profile, Redaction};
use tokio_util::sync::CancellationToken;

use super::told;
use crate::error::{CliError, CliResult, Exit};

/// How often key sets are looked at, and memory of quiet tenants is given back.
const LOOK: Duration = Duration::from_secs(2);
/// The largest policy, signature or key that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Puts the guard together.
pub fn of_profile(profile: &Profile, meter: &Meter) -> CliResult<(SiteGuard, KeySets)> {
    let wrong = |key: &str, error: &dyn std::fmt::Display| {
        told(Exit::BadInput, &format!("`{key}`: {error}"))
    };
    let (identities, tokens) = match &profile.identity {
        None => (
            Identities::Everybody(TenantId::default_tenant()),
            Tokens::default(),
        ),
        Some(identity) => (
            Identities::Known(Box::new(
                Directory::new(identity).map_err(|e| wrong("identity", &e))?,
            )),
            identity.tokens.clone(),
        ),
    };
    let (key_sets, verifier) = KeySets::read(tokens, meter)?;
    let in_flight = profile.limits.in_flight_bytes.0;
    let admission = Admission::new(&profile.quotas, in_flight, rand::random());
    let site = Site {
        identities,
        verifier,
        admission: admission.map_err(|e| wrong("quotas", &e))?,
        policies: policies(&profile.redaction)?,
    };
    Ok((SiteGuard::new(site, meter), key_sets))
}

fn policies(redaction: &Redaction) -> CliResult<Policies> {
    let mut policies = if redaction.enabled {
        Policies::new(site_policy(redaction)?)
    } else {
        tracing::warn!("redaction is off: personal data and secrets are kept as they come");
        Policies::none()
    };
    for (tenant, path) in &redaction.tenants {
        let text = signed_text(path, redaction).map_err(|e| told(Exit::BadInput, &e))?;
        let name = path.display().to_string();
        policies
            .tighten(tenant.0.clone(), &name, &text)
            .map_err(|error| match error {
                guard::PoliciesError::Policy(error) => CliError::from(error.into_document_error()),
                other => told(Exit::BadInput, &other.to_string()),
            })?;
    }
    Ok(policies)
}

fn site_policy(redaction: &Redaction) -> CliResult<Policy> {
    let key = site_key(redaction)?;
    let (name, text) = policy_text(&redaction.policy, redaction)?;
    let beside = Path::new(&redaction.policy)
        .parent()
        .unwrap_or(Path::new(""));
    // An error of reading is told better than that there is no such policy.
    let failed = std::cell::RefCell::new(None);
    let resolve = |name: &str| match shipped(name) {
        Some(text) => Some(text.to_owned()),
        None => signed_text(&beside.join(name), redaction)
            .map_err(|error| failed.replace(Some(error)))
            .ok(),
    };
    let site = Policy::compile(&name, &text, &resolve, key.as_ref());
    if let Some(error) = failed.into_inner() {
        return Err(told(Exit::BadInput, &error));
    }
    site.map_err(|error| CliError::from(error.into_document_error()))
}

/// The name and the text of the site's policy.
fn policy_text(wanted: &str, redaction: &Redaction) -> CliResult<(String, String)> {
    let text = match shipped(wanted) {
        Some(text) => text.to_owned(),
        None => signed_text(Path::new(wanted), redaction)
            .map_err(|error| told(Exit::BadInput, &error))?,
    };
    Ok((wanted.to_owned(), text))
}

/// The text of a policy in a file, whose signature is good where signatures are asked for.
fn signed_text(path: &Path, redaction: &Redaction) -> Result<String, String> {
    let text = read(path, "the policy")?;
    if let Some(key) = &redaction.public_key {
        let beside = PathBuf::from(format!("{}.minisig", path.display()));
        let signed = read(&beside, "the policy's signature")?;
        signature::verify(key, &text, &signed)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(text)
}

fn site_key(redaction: &Redaction) -> CliResult<Option<SiteKey>> {
    let Some(secret) = &redaction.key else {
        return Ok(None);
    };
    let wrong =
        |error: &dyn std::fmt::Display| told(Exit::BadInput, &format!("`redaction.key`: {error}"));
    let secret = secret.reveal().map_err(|error| wrong(&error))?;
    let key = SiteKey::new(&redaction.key_id, secret.as_bytes());
    key.map(Some).map_err(|error| wrong(&error))
}

fn read(path: &Path, what: &str) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_FILE_BYTES => Err(format!(
            "{what} {} is larger than 1 MiB\nhint: name another file",
            path.display()
        )),
        Ok(_) => Ok(text),
        Err(error) => Err(format!(
            "{what} {} cannot be read: {error}\nhint: name a file that this user can read",
            path.display()
        )),
    }
}

/// The issuers' key sets, as they are in their files.
pub struct KeySets {
    tokens: Tokens,
    texts: Vec<String>,
    reloads: CounterVec,
    unusable: Gauge,
}

impl KeySets {
    fn read(tokens: Tokens, meter: &Meter) -> CliResult<(KeySets, Verifier)> {
        let texts = texts(&tokens).map_err(|error| told(Exit::BadInput, &error))?;
        let verifier = verifier(&tokens, &texts).map_err(|error| told(Exit::BadInput, &error))?;
        let sets = KeySets {
            tokens,
            texts,
            reloads: meter.counter_vec(
                "stella_guard_key_set_reloads_total",
                "Key sets of token issuers that changed, by whether they were taken.",
                &["result"],
            ),
            unusable: meter.gauge(
                "stella_guard_key_sets_unusable",
                "1 while a key set has changed into one that cannot be used; the one before counts.",
            ),
        };
        Ok((sets, verifier))
    }

    /// Keeps the guard's key sets as their files are, and its memory small, until `stop`. A file
    /// that cannot be used changes nothing.
    pub async fn keep(mut self, guard: SiteGuard, stop: CancellationToken) {
        // The last text that could not be used, so that it is told of once.
        let mut bad: Option<String> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            guard.upkeep();
            if self.tokens.issuers.is_empty() {
                continue;
            }
            let tokens = self.tokens.clone();
            let now = tokio::task::spawn_blocking(move || texts(&tokens)).await;
            let result = match now {
                Ok(Ok(texts)) if texts == self.texts => {
                    bad = None;
                    self.unusable.set(0.0);
                    continue;
                }
                Ok(Ok(texts)) => verifier(&self.tokens, &texts).map(|verifier| (texts, verifier)),
                Ok(Err(error)) => Err(error),
                Err(_) => continue,
            };
            match result {
                Ok((texts, verifier)) => {
                    self.texts = texts;
                    guard.set_verifier(verifier);
                    self.reloads.with_label_values(&["taken"]).inc();
                    self.unusable.set(0.0);
                    bad = None;
                    tracing::info!("key sets of token issuers were read anew");
                }
                Err(error) if bad.as_ref() != Some(&error) => {
                    tracing::error!(
                        error,
                        "a key set cannot be used; the one before still counts"
                    );
                    self.reloads.with_label_values(&["refused"]).inc();
                    self.unusable.set(1.0);
                    bad = Some(error);
                }
                Err(_) => {}
            }
        }
    }
}

fn texts(tokens: &Tokens) -> Result<Vec<String>, String> {
    let files = tokens.issuers.iter();
    files
        .map(|issuer| read(Path::new(&issuer.jwks), "the key set"))
        .collect()
}

fn verifier(tokens: &Tokens, texts: &[String]) -> Result<Verifier, String> {
    let issuers = tokens.issuers.iter().zip(texts);
    let issuers: Vec<Issuer> = issuers
        .map(|(config, text)| {
            Issuer::new(config, text).map_err(|error| format!("{}: {error}", config.jwks))
        })
        .collect::<Result<_, _>>()?;
    Verifier::new(tokens, issuers).map_err(|error| error.to_string())
}
