//! `notify`: who is told of incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use document::{Located, place_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Bytes, ClientTls, Endpoint, Name, Secret, Time};

/// Who is told of incidents, and how hard it is tried.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Who tells: CloudEvents' `source`, a URI reference.
    pub source: String,
    /// Who is told.
    pub targets: Vec<NotifyTarget>,
    /// Words of the site's own, by type of event. `*` is for all that have none.
    pub templates: BTreeMap<String, NotifyTemplate>,
    /// How much waits for each target, and for how long.
    pub limits: NotifyLimits,
}

impl Default for Notify {
    fn default() -> Self {
        Notify {
            source: "urn:stella:telemetry".to_owned(),
            targets: Vec::new(),
            templates: BTreeMap::new(),
            limits: NotifyLimits::default(),
        }
    }
}

/// The words for a type of event, as Jinja templates that see `event`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyTemplate {
    /// One line.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub subject: Option<Located<String>>,
    /// The text.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub text: Option<Located<String>>,
}

/// How much waits for each target, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyLimits {
    /// The most events that wait. At the limit the oldest goes to the dead letters.
    pub events: usize,
    /// The most bytes that they have.
    pub bytes: Bytes,
    /// The most dead letters. At the limit the oldest is dropped, counted.
    pub dead_letters: usize,
    /// How many delivered events are remembered, so that none is sent twice.
    pub remembered: usize,
    /// How often an event is tried before it goes to the dead letters.
    pub max_attempts: u32,
    /// For how long an event is tried before it goes to the dead letters.
    pub max_age: Time,
    /// The wait after the first failure. Each is twice the one before, with jitter.
    pub retry_initial: Time,
    /// The longest wait. What a target asks for (`Retry-After`) goes before, up to an hour.
    pub retry_max: Time,
}

impl Default for NotifyLimits {
    fn default() -> Self {
        NotifyLimits {
            events: 1000,
            bytes: Bytes(16 << 20),
            dead_letters: 1000,
            remembered: 1000,
            max_attempts: 1000,
            max_age: Time(Duration::from_secs(3 * 24 * 3600)),
            retry_initial: Time(Duration::from_secs(5)),
            retry_max: Time(Duration::from_secs(600)),
        }
    }
}

/// One target: exactly one of `webhook`, `alertmanager`, `cloudevents`, `smtp`, `file`, `command`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyTarget {
    /// Its name: keep it, and what waits for it goes on waiting.
    #[schemars(with = "String")]
    pub name: Located<Name>,
    /// The types of events it is told of, all unless told otherwise: `stella.incident.opened`, or
    /// `stella.incident.*`.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub events: Option<Vec<Located<String>>>,
    /// How long one attempt may take.
    #[serde(default = "timeout")]
    pub timeout: Time,
    /// An HTTP endpoint that checks Standard Webhooks' signature.
    #[serde(default)]
    pub webhook: Option<NotifyWebhook>,
    /// A Prometheus Alertmanager.
    #[serde(default)]
    pub alertmanager: Option<NotifyAlertmanager>,
    /// An HTTP endpoint that takes CloudEvents 1.0.
    #[serde(default)]
    pub cloudevents: Option<NotifyCloudEvents>,
    /// E-mail.
    #[serde(default)]
    pub smtp: Option<NotifySmtp>,
    /// A file of JSON lines.
    #[serde(default)]
    pub file: Option<NotifyFile>,
    /// A program, started for each event.
    #[serde(default)]
    pub command: Option<NotifyCommand>,
}

/// An HTTP endpoint that checks Standard Webhooks' signature.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyWebhook {
    /// `http://` or `https://` with `tls`. It may be kept elsewhere: `${env:NAME}`, `${file:PATH}`.
    pub url: Secret,
    /// The file with the signing key (`whsec_…`), closed to others.
    pub secret_file: PathBuf,
    /// The file with the key before it, while receivers change over: both sign.
    #[serde(default)]
    pub old_secret_file: Option<PathBuf>,
    /// Headers to send along. Values may be kept elsewhere.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Whom to trust and what to show, for `https://`.
    #[serde(default)]
    pub tls: Option<ClientTls>,
}

/// A Prometheus Alertmanager.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyAlertmanager {
    /// Its base: `http://host:9093`, or `https://` with `tls`. `/api/v2/alerts` is added.
    pub url: Endpoint,
    /// Labels of every alert.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Where a person looks further.
    #[serde(default)]
    pub generator_url: Option<Endpoint>,
    /// Headers to send along. Values may be kept elsewhere.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Whom to trust and what to show, for `https://`.
    #[serde(default)]
    pub tls: Option<ClientTls>,
}

/// An HTTP endpoint that takes CloudEvents 1.0.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyCloudEvents {
    /// `http://` or `https://` with `tls`. It may be kept elsewhere.
    pub url: Secret,
    /// How an event is laid into a request.
    #[serde(default)]
    pub mode: CloudEventsMode,
    /// Headers to send along. Values may be kept elsewhere.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Whom to trust and what to show, for `https://`.
    #[serde(default)]
    pub tls: Option<ClientTls>,
}

/// CloudEvents' modes over HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloudEventsMode {
    /// Attributes as headers, the data as the body.
    #[default]
    Binary,
    /// All in one JSON object.
    Structured,
}

/// E-mail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySmtp {
    /// The mail server.
    pub host: String,
    /// Its port: 587 with `starttls`, 465 with `implicit`, 25 without TLS, unless told otherwise.
    #[serde(default)]
    pub port: Option<u16>,
    /// How TLS begins.
    #[serde(default)]
    pub security: SmtpSecurity,
    /// Allows plaintext: `security` does not count then, and a password goes in the clear.
    #[serde(default)]
    pub insecure: bool,
    /// Whom to trust, and what to show.
    #[serde(default)]
    pub tls: Option<ClientTls>,
    /// As whom to log in.
    #[serde(default)]
    pub user: Option<String>,
    /// The file with the password, closed to others.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Whom letters are from: `Stella <stella@example.com>`.
    pub from: String,
    /// Whom they go to.
    pub to: Vec<String>,
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// In the clear, up to STARTTLS; without it nothing is sent.
    #[default]
    Starttls,
    /// At once.
    Implicit,
}

/// A file of JSON lines.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyFile {
    /// The file, made for this user alone. Its folder must be there.
    pub path: PathBuf,
    /// The size from which on it is renamed to `NAME.1` and a new one begun.
    #[serde(default = "rotate_bytes")]
    pub rotate_bytes: Bytes,
    /// How many of those are kept.
    #[serde(default = "keep")]
    pub keep: u32,
}

/// A program, started for each event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyCommand {
    /// The program's absolute path and its arguments; no shell looks at them.
    pub run: Vec<String>,
}

/// A message, its hint, and where it is about.
type Wrong = (String, &'static str, Option<(usize, usize)>);

impl Notify {
    /// What the types alone cannot say.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        let mut seen = BTreeSet::new();
        for target in &self.targets {
            let name = target.name.value.as_str();
            let at = place_of(&target.name);
            if !seen.insert(name) {
                let hint = "what waits for a target is kept under its name, so each needs its own";
                return Err((format!("two targets are named `{name}`"), hint, at));
            }
            target.check().map_err(|(what, hint)| (what, hint, at))?;
            let Some(events) = &target.events else {
                continue;
            };
            if events.is_empty() {
                let hint = "leave `events` out to tell it of all";
                return Err((format!("the target `{name}` is told of nothing"), hint, at));
            }
            if let Some(event) = events.iter().find(|event| !is_pattern(&event.value)) {
                return Err((
                    format!("`{}` is no type of event", event.value),
                    "write a type as `stella.incident.opened`, or the beginning of types as `stella.incident.*`",
                    place_of(event),
                ));
            }
        }
        Ok(())
    }
}

impl NotifyTarget {
    fn check(&self) -> Result<(), (String, &'static str)> {
        let name = self.name.value.as_str();
        let kinds = [
            self.webhook.is_some(),
            self.alertmanager.is_some(),
            self.cloudevents.is_some(),
            self.smtp.is_some(),
            self.file.is_some(),
            self.command.is_some(),
        ];
        if kinds.iter().filter(|is| **is).count() != 1 {
            return Err((
                format!("the target `{name}` is not exactly one thing"),
                "give it one of `webhook:`, `alertmanager:`, `cloudevents:`, `smtp:`, `file:`, `command:`",
            ));
        }
        let Some(smtp) = &self.smtp else {
            return Ok(());
        };
        if smtp.user.is_some() != smtp.password_file.is_some() {
            return Err((
                format!(
                    "the target `{name}` has a user without a password, or the other way round"
                ),
                "name both as `user` and `password_file`, or neither",
            ));
        }
        match (&smtp.tls, smtp.insecure) {
            (None, false) => Err((
                format!("the target `{name}` names no CA that vouches for its mail server"),
                "add `tls: { ca: FILE }`; the system's own bundle is a file too, such as /etc/ssl/certs/ca-certificates.crt; `insecure: true` allows plaintext",
            )),
            (Some(_), true) => Err((
                format!("the target `{name}` has `tls` and is `insecure`"),
                "leave one of them out",
            )),
            _ => Ok(()),
        }
    }
}

/// A type of events, or the beginning of types.
fn is_pattern(text: &str) -> bool {
    let words = text.strip_suffix(".*").unwrap_or(text);
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let word = |word: &str| !word.is_empty() && word.bytes().all(good);
    text == "*" || (words.len() <= 96 && words.split('.').all(word))
}

fn timeout() -> Time {
    Time(Duration::from_secs(10))
}

fn rotate_bytes() -> Bytes {
    Bytes(16 << 20)
}

fn keep() -> u32 {
    4
}
