//! The conformance suite, and a real Alertmanager.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Config;
use crate::Event;
use crate::config::TargetKind;
use crate::conformance::every::{Site, wait_for};
use crate::conformance::every_scenario;
use crate::conformance::http_world::HttpWorld;

fn config(url: &str) -> Config {
    Config {
        url: url.parse().unwrap(),
        labels: BTreeMap::from([("site".to_owned(), "north".to_owned())]),
        generator_url: Some("https://stella.example/incidents".parse().unwrap()),
        headers: Vec::new(),
        tls: None,
    }
}

fn kind(addr: SocketAddr) -> TargetKind {
    TargetKind::Alertmanager(config(&format!("http://{addr}/am/")))
}

every_scenario!(HttpWorld::new(kind, |request| {
    assert!(request.head[0].starts_with("POST /am/api/v2/alerts "));
    let json = request.json();
    json[0]["annotations"]["event"].as_str().unwrap().to_owned()
}));

fn incident(id: &str, what: &str, time: Timestamp) -> Event {
    let hour = SignedDuration::from_hours(1);
    let data = json!({
        "reason": "scanner fails",
        "scope": "service=scanner",
        "opened_at": Timestamp::now().checked_sub(SignedDuration::from_secs(60)).unwrap().to_string(),
        "expires_at": time.checked_add(hour).unwrap().to_string(),
    });
    let kind = format!("stella.incident.{what}");
    let tenant = Some("acme".parse().unwrap());
    let data = data.as_object().unwrap().clone();
    Event::new(&format!("{id}.{what}"), &kind, time, id, tenant, data).unwrap()
}

/// Guarantees: in a real Alertmanager an incident that is opened is one alert with its labels, which
/// an extension changes and closing resolves, while that of another incident goes on.
#[tokio::test]
async fn a_real_alertmanager_fires_and_resolves() {
    let server = testkit::alertmanager::Alertmanager::start();
    let mut site = Site::new(TargetKind::Alertmanager(config(&server.url())));
    site.start();
    let now = Timestamp::now();
    let hours = |n| now.checked_add(SignedDuration::from_hours(n)).unwrap();
    site.put(&incident("inc-1", "opened", now));
    site.put(&incident("inc-2", "opened", now));
    wait_for("two alerts", || server.alerts().len() == 2).await;
    let of = |id: &str| {
        let alerts = server.alerts();
        alerts
            .into_iter()
            .find(|alert| alert["labels"]["incident"] == id)
    };
    let alert = of("inc-1").unwrap();
    assert_eq!(
        alert["labels"],
        json!({
            "alertname": "StellaIncident",
            "incident": "inc-1",
            "tenant": "acme",
            "scope": "service=scanner",
            "severity": "warning",
            "site": "north",
        })
    );
    assert_eq!(
        alert["annotations"]["summary"],
        "[incident] inc-1 opened: scanner fails"
    );
    assert_eq!(alert["generatorURL"], "https://stella.example/incidents");
    assert_eq!(alert["status"]["state"], "active");

    site.put(&incident("inc-1", "extended", hours(1)));
    let ends = |id: &str| {
        of(id).map(|alert| {
            alert["endsAt"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
        })
    };
    wait_for("its new end", || {
        ends("inc-1").is_some_and(|at| at > hours(1))
    })
    .await;
    assert_eq!(server.alerts().len(), 2, "it is the same alert");

    site.put(&incident("inc-1", "closed", Timestamp::now()));
    wait_for("it to be resolved", || of("inc-1").is_none()).await;
    assert!(of("inc-2").is_some());
    assert!(site.list().dead.is_empty());
}
