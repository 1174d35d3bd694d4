//! The guard as a profile describes it, and the key sets that it reads anew when they change.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use guard::{Identities, Policies, PoliciesError, Site, SiteGuard};
use ident::TenantId;
use meter::{CounterVec, Gauge, Meter};
use policy::identity::Directory;
use policy::identity::config::Tokens;
use policy::identity::token::{Issuer, MAX_JWKS_BYTES, Verifier};
use policy::quota::Admission;
use policy::redaction::{Policy, SiteKey, shipped};
use profile::{Profile, Redaction};
use tokio_util::sync::CancellationToken;

use super::policy_files::{self, Files};
use super::told;
use crate::error::{CliResult, Exit};

/// How often key sets are looked at, and memory of quiet tenants is given back.
const LOOK: Duration = Duration::from_secs(2);

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
    let files = Files::new(
        Path::new(&redaction.policy),
        redaction.public_key.as_deref(),
    )
    .map_err(|error| error.exiting(Exit::BadInput))?;
    let mut policies = if redaction.enabled {
        Policies::new(site_policy(redaction, &files)?)
    } else {
        tracing::warn!("redaction is off: personal data and secrets are kept as they come");
        Policies::none()
    };
    for (tenant, path) in &redaction.tenants {
        let text = files.read(path)?;
        let name = path.display().to_string();
        policies
            .tighten(tenant.0.clone(), &name, &text)
            .map_err(|error| match error {
                PoliciesError::Policy(error) => policy_files::wrong(error),
                other => told(Exit::BadInput, &other.to_string()),
            })?;
    }
    Ok(policies)
}

fn site_policy(redaction: &Redaction, files: &Files) -> CliResult<Policy> {
    let key = site_key(redaction)?;
    let name = redaction.policy.as_str();
    let text = match shipped(name) {
        Some(text) => text.to_owned(),
        None => files.read(Path::new(name))?,
    };
    let site = files.compile(name, &text, key.as_ref())?;
    site.map_err(policy_files::wrong)
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

/// The text of a key set. One that is too large is cut, and then refused for its size.
fn key_set(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let most = MAX_JWKS_BYTES as u64 + 1;
    std::fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut text))
        .map_err(|error| {
            format!(
                "the key set {} cannot be read: {error}\nhint: name a file that this user can read",
                path.display()
            )
        })?;
    Ok(text)
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
        .map(|issuer| key_set(Path::new(&issuer.jwks)))
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
