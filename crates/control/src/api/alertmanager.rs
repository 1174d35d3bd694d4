//! Alertmanager's webhook (its version 4): a group of alerts that fires opens an incident from the
//! profile's template, within a cool-down and a cap.
//!
//! Labels come from whoever may fire alerts, so what they fill in is checked as any request is:
//! a scope is parsed after it is filled in with values escaped, so that a label cannot widen it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use policy::identity::Digest;
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, json as answer_json};
use super::{Answer, IncidentView, Problem};
use crate::automatic::{self, Bounds};
use crate::config::Alertmanager;
use crate::incident::{Incident, Open, Origin, Refusal, State, escaped};
use crate::register::{Failure, Register};

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
    let scope = fill(&template.scope, webhook, escaped)?;
    let reason = fill(&template.reason, webhook, str::to_owned)?;
    let config = register.config();
    let origin = Origin::Alertmanager(group);
    let open = Open {
        scope: scope.parse().map_err(Refusal::Scope)?,
        reason: automatic::line(&reason, config.limits().text_bytes),
        by: call.actor(Some("alertmanager"))?,
        approved_by: None,
        origin: origin.clone(),
        ttl: template.ttl.unwrap_or(config.ttl).0,
        lookback: template.lookback.unwrap_or(config.lookback).0,
        key: None,
    };
    let bounds = Bounds {
        cool_down: template.cool_down.0,
        per_day: template.max_per_day,
        open: usize::MAX,
    };
    let opened = register.open(open, call.now, |incidents| {
        let is_kin = |known: &Incident| matches!(known.origin, Origin::Alertmanager(_));
        let is_same = |known: &Incident| known.origin == origin;
        automatic::instead(incidents, bounds, call.now, is_kin, is_same)
    });
    let opened = match opened {
        // No error for Alertmanager, which would try again.
        Err(Failure::Refused(Refusal::HeldBack(why))) => {
            let why = why.as_str();
            tracing::warn!(target: "audit", why, scope, "alerts opened no incident");
            return Ok(outcome(why, None));
        }
        opened => opened?,
    };
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
    let value = |name: &str| {
        let labels = webhook.common_labels.get(name);
        labels
            .or(webhook.common_annotations.get(name))
            .map(|value| quote(value))
    };
    automatic::fill(template, value).map_err(|missing| match missing {
        None => wrong("a `{` of the profile's template has no `}`"),
        Some(name) => wrong(&format!("the alerts do not have one `{name}` in common\nhint: group them by it, or leave it out of `incidents.alertmanager`")),
    })
}
