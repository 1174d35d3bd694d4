//! The conformance suite in both modes, and what the binding says of headers.

use std::net::SocketAddr;

use super::{Config, Mode, encode};
use crate::Message;
use crate::config::TargetKind;
use crate::conformance::every::event;
use crate::conformance::every_scenario;
use crate::conformance::http_world::HttpWorld;

fn kind(addr: SocketAddr, mode: Mode) -> TargetKind {
    TargetKind::CloudEvents(Config {
        url: format!("http://{addr}/").parse().unwrap(),
        mode,
        headers: Vec::new(),
        tls: None,
    })
}

mod binary {
    use super::*;
    every_scenario!(HttpWorld::new(
        |addr| kind(addr, Mode::Binary),
        |request| {
            assert_eq!(request.header("ce-specversion"), Some("1.0"));
            assert_eq!(request.header("ce-source"), Some("urn:test"));
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert!(request.json()["reason"].is_string());
            request.header("ce-id").unwrap().to_owned()
        }
    ));
}

mod structured {
    use super::*;
    every_scenario!(HttpWorld::new(
        |addr| kind(addr, Mode::Structured),
        |request| {
            let json = request.json();
            assert_eq!(json["specversion"], "1.0");
            assert_eq!(json["type"], "stella.incident.opened");
            assert_eq!(json["tenant"], "acme");
            assert!(json["time"].is_string() && json["data"]["reason"].is_string());
            json["id"].as_str().unwrap().to_owned()
        }
    ));
}

/// Guarantees: what a header cannot hold is percent-encoded, as the binding says.
#[test]
fn headers_are_encoded() {
    let message = Message {
        event: event("1", "Euro \u{20ac} \u{1f600} 100%"),
        title: String::new(),
        text: String::new(),
    };
    let (headers, _) = encode::request(Mode::Binary, "urn:x", &message);
    let subject = headers.get("ce-subject").unwrap().to_str().unwrap();
    // The example of section 3.1.3.2, and a percent sign.
    assert_eq!(subject, "Euro%20%E2%82%AC%20%F0%9F%98%80%20100%25");
}
