//! Alertmanager's webhook (its version 4): a group of alerts that fires opens an incident from the
//! profile's template, within a cool-down and a cap.
//!
//! Labels come from whoever may fire alerts, so what they fill in is checked as any request is:
//! a scope is parsed after it is filled in with values escaped, so that a label cannot widen it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::SignedDuration;
use policy::identity::Digest;
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, json as answer_json};
use super::{Answer, IncidentView, Problem};
use crate::config::Alertmanager;
use crate::incident::{Incident, Open, Origin, Refusal, State};
use crate::register::Register;

/// What of the webhook's body is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    version: String,
    group_key: String,
    status: Status,
    #[serde(default)]
    common_labels: BTreeMap<String, String>,
    #[serde(default)]
    common_annotations: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

/// Why nothing was opened, which is no error: Alertmanager would try again.
const COOLING: &str = "cooling_down";
const CAPPED: &str = "capped";

pub(super) fn answer(register: &Register, call: &Call<'_>) -> Answer {
    let Some(template) = &register.config().alertmanager else {
        let text = "alerts open no incidents here\nhint: turn it on with `incidents: { alertmanager: {} }` in the profile";
        return Err(Problem::new(StatusCode::NOT_FOUND, "trigger-off", text));
    };
    let webhook: Webhook = call.json()?;
    if webhook.version != "4" {
        let text = "only version 4 of Alertmanager's webhook is known";
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad-webhook",
            text,
        ));
    }
    let group = Digest::of(webhook.group_key.as_bytes()).to_string();
    match webhook.status {
        Status::Firing => fire(register, template, &webhook, group, call),
        Status::Resolved => resolve(register, template, &group, call),
    }
}

fn fire(
    register: &Register,
    template: &Alertmanager,
    webhook: &Webhook,
    group: String,
    call: &Call<'_>,
) -> Answer {
    let scope = fill(&template.scope, webhook, escape)?;
    let reason = fill(&template.reason, webhook, one_line)?;
    let config = register.config();
    let origin = Origin::Alertmanager(group);
    let open = Open {
        scope: scope.parse().map_err(Refusal::Scope)?,
        reason: cut(&reason, config.limits().text_bytes),
        by: call.actor(Some("alertmanager"))?,
        approved_by: None,
        origin: origin.clone(),
        ttl: template.ttl.unwrap_or(config.ttl).0,
        lookback: template.lookback.unwrap_or(config.lookback).0,
        key: None,
    };
    let mut held_back = None;
    let opened = register.open(open, call.now, |incidents| {
        let of_alerts = || {
            incidents
                .values()
                .filter(|known| matches!(known.origin, Origin::Alertmanager(_)))
        };
        let mut of_group = of_alerts().filter(|known| known.origin == origin);
        if let Some(last) = of_group.next_back() {
            if last.is_open() {
                return Ok(Some(last.id.clone()));
            }
            let cool =
                SignedDuration::try_from(template.cool_down.0).unwrap_or(SignedDuration::MAX);
            let ended = last.ended.as_ref().map(|ended| ended.at);
            if ended.is_some_and(|ended| call.now.duration_since(ended) < cool) {
                held_back = Some(COOLING);
                return Ok(Some(last.id.clone()));
            }
        }
        let day = SignedDuration::from_hours(24);
        let today = |known: &&Incident| call.now.duration_since(known.opened_at) < day;
        if of_alerts().filter(today).count() >= template.max_per_day {
            held_back = Some(CAPPED);
            // Any known one does: it is not shown.
            return Ok(incidents.keys().next_back().cloned());
        }
        Ok(None)
    })?;
    if let Some(why) = held_back {
        tracing::warn!(target: "audit", why, scope, "alerts opened no incident");
        return Ok(outcome(why, None));
    }
    let done = if opened.fresh {
        "opened"
    } else {
        "already_open"
    };
    Ok(outcome(done, Some(IncidentView::of(opened.incident))))
}

fn resolve(register: &Register, template: &Alertmanager, group: &str, call: &Call<'_>) -> Answer {
    if !template.close_on_resolved {
        return Ok(outcome("left_open", None));
    }
    let origin = Origin::Alertmanager(group.to_owned());
    let open = register.list(Some(State::Open), usize::MAX);
    let Some(known) = open.into_iter().find(|known| known.origin == origin) else {
        return Ok(outcome("not_open", None));
    };
    let by = call.actor(Some("alertmanager"))?;
    let closed = register.close(&known.id, &by, Some("the alerts are resolved"), call.now)?;
    Ok(outcome("closed", Some(IncidentView::of(closed))))
}

fn outcome(done: &str, incident: Option<IncidentView>) -> Response<Bytes> {
    answer_json(
        StatusCode::OK,
        &json!({ "outcome": done, "incident": incident }),
    )
}

/// Puts labels and annotations in the place of `{name}`.
fn fill(template: &str, webhook: &Webhook, quote: fn(&str) -> String) -> Result<String, Problem> {
    let wrong = |text: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-template", text);
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| wrong("a `{` of the profile's template has no `}`"))?;
        let found = webhook
            .common_labels
            .get(name)
            .or(webhook.common_annotations.get(name));
        let value = found.ok_or_else(|| {
            wrong(&format!("the alerts do not have one `{name}` in common\nhint: group them by it, or leave it out of `incidents.alertmanager`"))
        })?;
        filled.push_str(before);
        filled.push_str(&quote(value));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn escape(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, ',' | '\\' | '=') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

fn one_line(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}
