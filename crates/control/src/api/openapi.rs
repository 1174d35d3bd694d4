//! The API's OpenAPI 3.1 document, made from the types that requests are read into.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{
    ChangeRequest, IncidentView, ListView, ModeRequest, ModeView, OpenRequest, Problem,
    TimelineView,
};

/// The document.
pub fn document() -> Value {
    // OpenAPI 3.1 schemas are JSON Schema 2020-12, which keeps what is shared in `components`.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let paths = paths(&mut schemas);
    let definitions: Map<String, Value> = schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "StellaOps Telemetry: admin API",
            "summary": "Incidents: open, extend, close, look.",
            "description": "Served by the running gateway on `listen.admin`. Requests that change something send `application/json`. Errors are RFC 9457 problems whose `type` is `urn:stella:problem:CODE`.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:13134" }],
        "security": [{}, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `admin.token_file`. Without that file none is asked for.",
                },
            },
        },
    })
}

fn paths(schemas: &mut SchemaGenerator) -> Value {
    let incident =
        |schemas: &mut SchemaGenerator, about: &str| answer::<IncidentView>(schemas, about);
    let problem = answer::<Problem>(schemas, "What went wrong.");
    let problem = json!({
        "description": "What went wrong.",
        "content": { "application/problem+json": problem["content"]["application/json"].clone() },
    });
    let id = json!({
        "name": "id", "in": "path", "required": true,
        "schema": { "type": "string", "pattern": "^inc-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}$" },
    });
    let key = json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "1 to 128 printable ASCII characters. The same request with the same key opens one incident; another request with it is a 409.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
    });
    let state = json!({ "name": "state", "in": "query", "schema": { "enum": ["open", "closed"] } });
    let limit = json!({
        "name": "limit", "in": "query",
        "schema": { "type": "integer", "minimum": 1, "maximum": 5000, "default": 100 },
    });
    json!({
        "/telemetry/incidents": {
            "get": {
                "operationId": "listIncidents", "summary": "Incidents, the newest first.",
                "parameters": [state, limit],
                "responses": { "200": answer::<ListView>(schemas, "They."), "default": problem },
            },
            "post": {
                "operationId": "openIncident", "summary": "Open an incident.",
                "parameters": [key],
                "requestBody": body::<OpenRequest>(schemas),
                "responses": {
                    "201": incident(schemas, "It is open, and stored."),
                    "200": incident(schemas, "The same request with this key had opened it."),
                    "409": problem, "422": problem, "507": problem, "default": problem,
                },
            },
        },
        "/telemetry/incidents/{id}": {
            "parameters": [id],
            "get": {
                "operationId": "showIncident", "summary": "One incident.",
                "responses": { "200": incident(schemas, "It."), "404": problem, "default": problem },
            },
            "patch": {
                "operationId": "changeIncident", "summary": "Extend it, close it, let retention go, or say that its capture was taken.",
                "requestBody": body::<ChangeRequest>(schemas),
                "responses": { "200": incident(schemas, "As it is now."), "404": problem, "409": problem, "default": problem },
            },
        },
        "/telemetry/incidents/{id}/timeline": {
            "parameters": [id],
            "get": {
                "operationId": "showTimeline", "summary": "What happened, oldest first.",
                "responses": { "200": answer::<TimelineView>(schemas, "It."), "404": problem, "default": problem },
            },
        },
        "/telemetry/incidents/mode": {
            "get": {
                "operationId": "showMode", "summary": "Whether the incident about everything is open.",
                "responses": { "200": answer::<ModeView>(schemas, "Whether it is."), "default": problem },
            },
            "post": {
                "operationId": "setMode", "summary": "Open or close the incident about everything.",
                "requestBody": body::<ModeRequest>(schemas),
                "responses": { "200": answer::<ModeView>(schemas, "As it is now."), "default": problem },
            },
        },
        "/telemetry/incidents/alertmanager": {
            "post": {
                "operationId": "takeAlerts", "summary": "Alertmanager's webhook (version 4).",
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "type": "object" } } } },
                "responses": {
                    "200": {
                        "description": "What became of it.",
                        "content": { "application/json": { "schema": {
                            "type": "object", "required": ["outcome"],
                            "properties": { "outcome": { "enum": ["opened", "already_open", "cooling_down", "capped", "closed", "left_open", "not_open"] } },
                        } } },
                    },
                    "404": problem, "422": problem, "default": problem,
                },
            },
        },
        "/openapi.json": {
            "get": {
                "operationId": "showDocument", "summary": "This document.",
                "responses": { "200": { "description": "It.", "content": { "application/json": { "schema": { "type": "object" } } } } },
            },
        },
    })
}

fn answer<T: JsonSchema>(schemas: &mut SchemaGenerator, about: &str) -> Value {
    let schema = schemas.subschema_for::<T>();
    json!({ "description": about, "content": { "application/json": { "schema": schema } } })
}

fn body<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    let schema = schemas.subschema_for::<T>();
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}
