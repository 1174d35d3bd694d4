//! What senders say of the tenant: in the tenant header and in attributes.

use super::{BINARY, DENIED, Holder, TAKEN, audit, codes, denied, send_each_way, tenants};
use serde_json::{Value, json};
use testkit::client::{self, JSON};
use testkit::stella::Stella;

fn overrides(stella: &Stella, tenant: &str, place: &str) -> f64 {
    stella.series(&format!(
        "stella_guard_tenant_overrides_total{{place=\"{place}\",tenant=\"{tenant}\"}}"
    ))
}

/// Guarantees: TENANT-BY-IDENTITY; a forwarder chooses with the header among its tenants and gets
/// its default without; outside its set, and with a header that is no name or there twice, it is
/// refused with 403, audited and counted. From anybody else the header is ignored and counted.
#[test]
fn the_tenant_header_counts_from_forwarders() {
    let [acme, hub, silent] = [Holder::new(), Holder::new(), Holder::new()];
    let profile = tenants(&[("acme", &acme)])
        + "    globex: {}\n    umbrella: {}\n  forwarders:\n"
        + &format!(
            "    - {{ match: [{{ token: '{}' }}], tenants: [acme, globex], default: acme }}\n",
            hub.digest
        )
        + &format!(
            "    - {{ match: [{{ token: '{}' }}], tenants: [globex] }}\n",
            silent.digest
        );
    let stella = Stella::start(BINARY, &profile);
    let send = |holder: &Holder, chosen: &[&str], body: &str| {
        let mut headers = vec![("authorization", holder.bearer.as_str())];
        headers.extend(chosen.iter().map(|name| ("x-scope-orgid", *name)));
        codes(&send_each_way(&stella, &headers, body))
    };
    assert_eq!(send(&hub, &["globex"], "chosen"), TAKEN);
    assert_eq!(send(&hub, &["acme"], "chosen too"), TAKEN);
    assert_eq!(send(&hub, &[], "by default"), TAKEN);
    assert_eq!(stella.dump_of("globex").matches("stringValue").count(), 3);
    let acmes = stella.dump_of("acme");
    assert_eq!(acmes.matches("chosen too").count(), 3, "{acmes}");
    assert_eq!(acmes.matches("by default").count(), 3, "{acmes}");
    assert_eq!(stella.metric("stella_guard_tenant_overrides_total"), 0.0);

    let refused: [(&Holder, &[&str], &str); 6] = [
        (&hub, &["umbrella"], "tenant_not_allowed"),
        (&hub, &["nobody"], "tenant_not_allowed"),
        (&hub, &["acme", "globex"], "bad_tenant"),
        (&hub, &["../acme"], "bad_tenant"),
        (&silent, &["acme"], "tenant_not_allowed"),
        (&silent, &[], "no_tenant_chosen"),
    ];
    for (holder, chosen, reason) in refused {
        let before = (denied(&stella, reason), audit(&stella).len());
        assert_eq!(send(holder, chosen, "refused"), DENIED, "{chosen:?}");
        assert_eq!(denied(&stella, reason), before.0 + 3.0, "{chosen:?}");
        assert_eq!(audit(&stella).len(), before.1 + 3, "{chosen:?}");
    }
    assert!(!stella.dump().contains("refused"));

    assert_eq!(send(&acme, &["globex"], "not heard"), TAKEN);
    assert_eq!(send(&acme, &["acme"], "the truth"), TAKEN);
    assert!(!stella.dump_of("globex").contains("not heard"));
    assert_eq!(stella.dump_of("acme").matches("not heard").count(), 3);
    assert_eq!(overrides(&stella, "acme", "header"), 3.0);
}

fn named(tenant: Value) -> Value {
    json!([{"key": "kept", "value": {"stringValue": "kept"}}, {"key": "tenant.id", "value": tenant}])
}

/// Requests of all signals that name `tenant` at resource, scope and item.
fn requests(tenant: &Value) -> [(&'static str, Value); 3] {
    let tenant = || named(tenant.clone());
    let around = |outer: &str, middle: &str, items: Value| {
        let mut scope = json!({"scope": {"name": "s", "attributes": tenant()}});
        let (key, list) = items.as_object().unwrap().iter().next().unwrap();
        scope[key] = list.clone();
        json!({outer: [{"resource": {"attributes": tenant()}, middle: [scope]}]})
    };
    let span = json!({"spans": [{"name": "s", "attributes": tenant(),
        "events": [{"name": "e", "attributes": tenant()}], "links": [{"attributes": tenant()}]}]});
    let points = json!({"metrics": [{"name": "m", "gauge": {"dataPoints": [
        {"asDouble": 1.0, "attributes": tenant(), "exemplars": [{"filteredAttributes": tenant()}]}
    ]}}]});
    let records = json!({"logRecords": [{"body": {"stringValue": "b"}, "attributes": tenant()}]});
    [
        ("traces", around("resourceSpans", "scopeSpans", span)),
        ("metrics", around("resourceMetrics", "scopeMetrics", points)),
        ("logs", around("resourceLogs", "scopeLogs", records)),
    ]
}

/// Guarantees: TENANT-BY-IDENTITY; wherever data has an attribute `tenant.id` (resource, scope,
/// span, event, link, point, exemplar, record), of whatever type, it says the sender's own tenant
/// in the journal, and each request that tried is counted; the truth is left as it is.
#[test]
fn an_attribute_does_not_choose_the_tenant() {
    let acme = Holder::new();
    let profile = tenants(&[("acme", &acme)]) + "    globex: {}\n";
    let stella = Stella::start(BINARY, &profile);
    let lies = [
        json!({"stringValue": "globex"}),
        json!({"intValue": "7"}),
        json!({"arrayValue": {"values": [{"stringValue": "globex"}]}}),
        json!({}),
    ];
    let mut tried = 0.0;
    for lie in &lies {
        for (signal, request) in requests(lie) {
            let body = request.to_string();
            let answer = client::post(
                stella.at().http,
                signal,
                JSON,
                &acme.headers(),
                body.as_bytes(),
            );
            assert_eq!(answer.code, 200, "{answer:?}");
            tried += 1.0;
            assert_eq!(overrides(&stella, "acme", "attribute"), tried, "{body}");
        }
    }
    for (signal, request) in requests(&json!({"stringValue": "acme"})) {
        let body = request.to_string();
        let answer = client::post(
            stella.at().http,
            signal,
            JSON,
            &acme.headers(),
            body.as_bytes(),
        );
        assert_eq!(answer.code, 200, "{answer:?}");
    }
    assert_eq!(overrides(&stella, "acme", "attribute"), tried);

    let dump = stella.dump();
    assert!(!dump.contains("globex"), "{dump}");
    assert_eq!(stella.dump_of("globex"), "");
    let occurrences = dump.matches("\"tenant.id\"").count();
    // 5 in traces, 4 in metrics, 3 in logs, each five times; all others are as they were.
    assert_eq!(occurrences, 12 * 5, "{dump}");
    let own = "{\"key\":\"tenant.id\",\"value\":{\"stringValue\":\"acme\"}}";
    assert_eq!(dump.matches(own).count(), occurrences, "{dump}");
    assert_eq!(
        dump.matches("{\"stringValue\":\"kept\"}").count(),
        occurrences
    );
}

/// Guarantees: TENANT-BY-IDENTITY without `identity`: a site with one tenant has one, whatever is
/// said in header and attribute.
#[test]
fn a_site_without_identities_has_one_tenant() {
    let stella = Stella::start(BINARY, "");
    let answers = send_each_way(&stella, &[("x-scope-orgid", "globex")], "a record");
    assert_eq!(codes(&answers), TAKEN);
    let [_, _, (signal, request)] = requests(&json!({"stringValue": "globex"}));
    let body = request.to_string();
    let answer = client::post(stella.at().http, signal, JSON, &[], body.as_bytes());
    assert_eq!(answer.code, 200, "{answer:?}");
    assert!(!stella.dump().contains("globex"));
    assert_eq!(
        stella.dump_of("default").lines().count(),
        stella.dump().lines().count()
    );
    assert_eq!(stella.metric("stella_guard_tenant_overrides_total"), 4.0);
}
