//! Words: the built-in ones, a site's own, and what must not come of any.

use super::*;

fn event(kind: &str, data: serde_json::Value) -> Event {
    let time = "2026-11-25T16:00:00Z".parse().unwrap();
    let data = data.as_object().unwrap().clone();
    Event::new(
        "inc-7.x",
        kind,
        time,
        "inc-7",
        Some("acme".parse().unwrap()),
        data,
    )
    .unwrap()
}

fn own(kind: &str, subject: &str, text: &str) -> Result<Templates, TemplateError> {
    let words = Words {
        subject: Some(subject.to_owned()),
        text: Some(text.to_owned()),
    };
    Templates::new(&BTreeMap::from([(kind.to_owned(), words)]))
}

/// Guarantees: the built-in words say what happened.
#[test]
fn the_defaults_read_well() {
    let data = json!({
        "reason": "scanner fails",
        "scope": "service=scanner",
        "opened_by": "alice",
        "expires_at": "2026-11-25T18:00:00Z",
        "lookback": "15m",
    });
    let (title, text) = Templates::new(&BTreeMap::new())
        .unwrap()
        .render(&event("stella.incident.opened", data));
    assert_eq!(title, "[incident] inc-7 opened: scanner fails");
    assert_eq!(
        text,
        "\
Incident inc-7 was opened: scanner fails

Everything in its scope is kept from now on, and what the window still holds from before.

Scope:      service=scanner
Tenant:     acme
Opened by:  alice
Ends at:    2026-11-25T18:00:00Z
Look-back:  15m
Event:      inc-7.x at 2026-11-25T16:00:00Z
"
    );
    let data = json!({ "expires_at": "x", "closed_by": "bob", "kept": { "traces": 3, "logs": 4 } });
    let (title, text) = Templates::default().render(&event("stella.incident.closed", data));
    assert_eq!(title, "[incident] inc-7 closed");
    assert!(text.contains("Closed by:  bob\n"), "{text}");
    assert!(text.contains("traces"), "{text}");
    assert!(!text.contains("Ends at"), "{text}");
    let (title, text) = Templates::default().render(&event("site.other", json!({ "a": 1 })));
    assert_eq!(title, "site.other: inc-7");
    assert!(text.contains("a: 1\n"), "{text}");
}

/// Guarantees: every built-in template works, without a single key of data too.
#[test]
fn the_defaults_need_no_data() {
    let templates = Templates::new(&BTreeMap::new()).unwrap();
    for (kind, ..) in DEFAULTS {
        let (title, text) = templates.render(&event(kind, json!({})));
        assert!(
            !title.contains(": inc-7") && text.contains("inc-7.x"),
            "{title} {text}"
        );
    }
}

/// Guarantees: a mistake in a template is found when it is loaded, with its line.
#[test]
fn mistakes_are_found_at_load() {
    for (wrong, line) in [
        ("fine\n{% if %}", 2),
        ("{{ event.data.reason|frobnicate }}", 1),
        ("\n\n{{ nothing() }}", 3),
        ("{% for x in event.id %}", 1),
        ("{% include 'other' %}", 1),
    ] {
        let error = own("a.b", "s", wrong).unwrap_err();
        assert_eq!((error.line, error.part), (line, Part::Text), "{error}");
        assert!(error.to_string().contains("hint:"), "{error}");
    }
    assert!(own("a.b", &"x".repeat(MAX_TEMPLATE_BYTES + 1), "t").is_err());
}

/// Guarantees: nothing that an event says can begin a new header or a new line of a subject.
#[test]
fn subjects_are_one_line() {
    let templates = own(
        "a.b",
        "x {{ event.data.reason }}\ny",
        "{{ event.data.reason }}",
    )
    .unwrap();
    let data =
        json!({ "reason": "a\r\nBcc: evil@example.com\r\n\r\nbody\u{0}\u{2028}\u{85}z\u{1b}[31m" });
    let (title, text) = templates.render(&event("a.b", data));
    assert_eq!(title, "x a Bcc: evil@example.com body z [31m y");
    assert_eq!(text, "a\nBcc: evil@example.com\n\nbody\u{2028}z[31m");
}

/// Guarantees: values are text and never templates.
#[test]
fn values_are_not_templates() {
    let templates = own("a.b", "{{ event.data.reason }}", "t").unwrap();
    let (title, _) = templates.render(&event("a.b", json!({ "reason": "{{ event.id }}" })));
    assert_eq!(title, "{{ event.id }}");
}

/// Guarantees: BOUNDED; a template that runs for long or writes much ends, and the event is told
/// of all the same.
#[test]
fn work_and_output_are_limited() {
    let long = "{% for a in event.data.l %}{% for b in event.data.l %}{% for c in event.data.l %}x{% endfor %}{% endfor %}{% endfor %}";
    let templates = own("a.b", "{% for a in event.data.l %}{% for b in event.data.l %}{% for c in event.data.l %}{% endfor %}{% endfor %}{% endfor %}", long).unwrap();
    let many: Vec<u32> = (0..100).collect();
    let (title, text) = templates.render(&event("a.b", json!({ "l": many })));
    assert_eq!(title, "a.b: inc-7", "without fuel: simpler words");
    assert!(text.len() <= MAX_TEXT_BYTES + 4, "{}", text.len());
    let templates = own("a.b", "{{ event.data.r }}", "{{ event.data.r }}").unwrap();
    let (title, text) = templates.render(&event("a.b", json!({ "r": "é".repeat(10_000) })));
    assert!(
        title.len() <= MAX_TITLE_BYTES + 4 && title.ends_with("é…"),
        "{title}"
    );
    assert!(text.len() <= MAX_TEXT_BYTES + 4 && text.ends_with("é…"));
}
