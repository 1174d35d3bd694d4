//! From the profile's words to what `notify` takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use document::{Located, place_of};
use notify::{
    ConfigError, Limits, Pattern, TargetConfig, TargetKind, TargetName, Templates, Words,
    alertmanager, cloudevents, command, file, smtp, webhook,
};
use profile::{ClientTls, NotifyTarget, Profile, Secret};
use tls::{Alpn, Keeper};
use url::Url;

use crate::error::{CliError, CliResult, Exit};
use crate::telemetry::{tls as files, told};

/// The configuration; what is wrong is said with the target's name, and no secret is shown.
pub fn config(profile: &Profile, keeper: &Keeper) -> CliResult<notify::Config> {
    let notify = &profile.notify;
    let limits = &notify.limits;
    let defaults = Limits::default();
    let mut targets = Vec::new();
    for target in &notify.targets {
        targets.push(self::target(target, keeper)?);
    }
    Ok(notify::Config {
        source: notify.source.clone(),
        templates: templates(profile)?,
        limits: Limits {
            max_entries: limits.events.max(1),
            max_bytes: limits.bytes.0,
            dead_letters: limits.dead_letters,
            remembered: limits.remembered.max(1),
            max_attempts: limits.max_attempts.max(1),
            max_age: limits.max_age.0,
            retry: egress::Retry {
                initial: limits.retry_initial.0,
                max: limits.retry_max.0,
                ..defaults.retry
            },
        },
        targets,
    })
}

/// The site's words. A mistake is placed in the profile and in the template.
fn templates(profile: &Profile) -> CliResult<Templates> {
    let mut words = BTreeMap::new();
    for (kind, template) in &profile.notify.templates {
        let text = |part: &Option<Located<String>>| part.as_ref().map(|part| part.value.clone());
        let own = Words {
            subject: text(&template.subject),
            text: text(&template.text),
        };
        words.insert(kind.clone(), own);
    }
    Templates::new(&words).map_err(|error| {
        let template = profile.notify.templates.get(&error.kind);
        let part = template.and_then(|template| match error.part {
            notify::Part::Subject => template.subject.as_ref(),
            notify::Part::Text => template.text.as_ref(),
        });
        let at = match part.and_then(place_of) {
            Some((line, column)) => format!("{line}:{column}: "),
            None => String::new(),
        };
        told(Exit::BadInput, &format!("the profile: {at}{error}"))
    })
}

fn target(target: &NotifyTarget, keeper: &Keeper) -> CliResult<TargetConfig> {
    let name = target.name.value.as_str();
    let wrong = |error: &dyn std::fmt::Display| {
        told(Exit::BadInput, &format!("the target `{name}`: {error}"))
    };
    let all = vec!["*"];
    let wanted = target.events.as_ref().map_or(all, |events| {
        events.iter().map(|event| event.value.as_str()).collect()
    });
    let wants: Result<Vec<Pattern>, _> = wanted.into_iter().map(Pattern::parse).collect();
    Ok(TargetConfig {
        name: TargetName::parse(name).ok_or_else(|| wrong(&"not a name"))?,
        wants: wants.map_err(|error| wrong(&ConfigError::from(error)))?,
        timeout: target.timeout.0,
        kind: kind(target, &Context { name, keeper })?,
    })
}

struct Context<'a> {
    name: &'a str,
    keeper: &'a Keeper,
}

impl Context<'_> {
    fn told(&self, error: &dyn std::fmt::Display) -> CliError {
        told(
            Exit::BadInput,
            &format!("the target `{}`: {error}", self.name),
        )
    }

    fn url(&self, secret: &Secret) -> CliResult<Url> {
        let text = secret.reveal().map_err(|error| self.told(&error))?;
        // It may hold a secret, so it is not repeated.
        Url::parse(&text).map_err(|_| {
            self.told(&"its `url` is not a URL\nhint: write it as in https://example.com/hook")
        })
    }

    fn headers(
        &self,
        headers: &BTreeMap<String, Secret>,
    ) -> CliResult<Vec<(String, egress::Secret)>> {
        crate::telemetry::headers(headers, |error| self.told(&error))
    }

    fn tls(&self, wanted: Option<&ClientTls>, alpn: Alpn) -> CliResult<Option<Arc<tls::Client>>> {
        let client = |wanted| {
            let endpoint = format!("notify/{}", self.name);
            files::of_target(self.keeper, &endpoint, wanted, alpn)
                .map_err(|error| self.told(&error))
        };
        wanted.map(client).transpose()
    }
}

fn kind(target: &NotifyTarget, context: &Context<'_>) -> CliResult<TargetKind> {
    if let Some(wanted) = &target.webhook {
        let read = |path| webhook::SigningKey::read(path).map_err(|error| context.told(&error));
        let mut keys = vec![read(&wanted.secret_file)?];
        if let Some(old) = &wanted.old_secret_file {
            keys.push(read(old)?);
        }
        return Ok(TargetKind::Webhook(webhook::Config {
            url: context.url(&wanted.url)?,
            keys,
            headers: context.headers(&wanted.headers)?,
            tls: context.tls(wanted.tls.as_ref(), Alpn::Http1)?,
        }));
    }
    if let Some(wanted) = &target.alertmanager {
        return Ok(TargetKind::Alertmanager(alertmanager::Config {
            url: wanted.url.url().clone(),
            labels: wanted.labels.clone(),
            generator_url: wanted.generator_url.as_ref().map(|url| url.url().clone()),
            headers: context.headers(&wanted.headers)?,
            tls: context.tls(wanted.tls.as_ref(), Alpn::Http1)?,
        }));
    }
    if let Some(wanted) = &target.cloudevents {
        return Ok(TargetKind::CloudEvents(cloudevents::Config {
            url: context.url(&wanted.url)?,
            mode: match wanted.mode {
                profile::CloudEventsMode::Binary => cloudevents::Mode::Binary,
                profile::CloudEventsMode::Structured => cloudevents::Mode::Structured,
            },
            headers: context.headers(&wanted.headers)?,
            tls: context.tls(wanted.tls.as_ref(), Alpn::Http1)?,
        }));
    }
    if let Some(wanted) = &target.smtp {
        return Ok(TargetKind::Smtp(mail(wanted, context)?));
    }
    if let Some(wanted) = &target.file {
        return Ok(TargetKind::File(file::Config {
            path: wanted.path.clone(),
            rotate_bytes: wanted.rotate_bytes.0,
            keep: wanted.keep.min(100),
        }));
    }
    let run = target.command.as_ref().map(|command| command.run.clone());
    Ok(TargetKind::Command(command::Config {
        // The profile's check has made sure that it is this if it is nothing else.
        run: run.unwrap_or_default(),
    }))
}

fn mail(wanted: &profile::NotifySmtp, context: &Context<'_>) -> CliResult<smtp::Config> {
    let tls = context.tls(wanted.tls.as_ref(), Alpn::None)?;
    let (security, port) = match (tls, wanted.security) {
        (None, _) => (smtp::Security::Insecure, 25),
        (Some(tls), profile::SmtpSecurity::Starttls) => (smtp::Security::StartTls(tls), 587),
        (Some(tls), profile::SmtpSecurity::Implicit) => (smtp::Security::Implicit(tls), 465),
    };
    let login = match (&wanted.user, &wanted.password_file) {
        (Some(user), Some(path)) => {
            let login = smtp::Login::read(user.clone(), path);
            Some(login.map_err(|error| context.told(&error))?)
        }
        _ => None,
    };
    Ok(smtp::Config {
        host: wanted.host.clone(),
        port: wanted.port.unwrap_or(port),
        security,
        login,
        from: wanted.from.clone(),
        to: wanted.to.clone(),
    })
}
