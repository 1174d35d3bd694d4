//! `sampling simulate` and `sampling explain`.

use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::wait_for;

use super::{BINARY, connect, is_kept, names, profile, runtime, trace};

/// Guarantees: what is simulated is what the rule says, explained is what was decided, and what
/// cannot be known is said.
#[test]
fn what_was_kept_can_be_asked_for() {
    let ships = "ship: [{ name: files, file: { path: /dev/null/x } }]\n";
    let stella = Stella::start(BINARY, &profile("", ships));
    let mut rng = StdRng::seed_from_u64(7);
    let mut next = 0;
    let traces: Vec<Vec<One>> = (0..500).map(|_| trace(&mut rng, &mut next, "a")).collect();
    runtime().block_on(async {
        connect(&stella).await.send(&traces.concat()).await.unwrap();
    });
    wait_for("everything to be decided", || {
        stella.metric("stella_sampler_items_total") == next as f64
    });
    let policy = stella.folder().join("profile.yaml").display().to_string();
    let json = |arguments: &[&str]| -> Value {
        let mut all = vec!["sampling"];
        all.extend_from_slice(arguments);
        all.extend_from_slice(&["--policy", &policy, "--output", "json"]);
        serde_json::from_str(&stella.print(&all)).unwrap()
    };
    let simulated = json(&["simulate", "--window", "1h"]);
    let kept = traces.iter().filter(|spans| is_kept(spans)).count();
    assert_eq!(simulated["kept"]["traces"], kept);
    assert_eq!(simulated["kept"]["spans"], names(&traces, is_kept).len());
    assert_eq!(simulated["all"]["traces"], traces.len());
    let errors = traces.iter().filter(|t| t.iter().any(|one| one.error));
    assert_eq!(simulated["policies"][0]["policy"], "errors");
    assert_eq!(simulated["policies"][0]["traces"], errors.count());
    let text = stella.print(&["sampling", "simulate", "--policy", &policy]);
    assert!(text.contains("% of traces"), "{text}");

    for spans in traces.iter().take(100) {
        let name = spans[0].name();
        let id = name.split(':').next().unwrap();
        let told = json(&["explain", "--trace", id]);
        let count = spans.len();
        assert_eq!(told["spans"], count);
        let decision = &told["decisions"][0];
        assert_eq!(decision["kept"], is_kept(spans), "{told}");
        let shipped = if is_kept(spans) { count } else { 0 };
        assert_eq!(told["stored"]["shipped_spans"], shipped);
        assert_eq!(told["stored"]["let_go_spans"], count - shipped);
        let by = match (spans.iter().any(|one| one.error), is_kept(spans)) {
            (true, _) => "errors",
            (false, true) => "tenth",
            (false, false) => "no policy",
        };
        assert_eq!(decision["by"], by);
        let unknown = told["unknown"][0].as_str().unwrap();
        assert!(unknown.contains("far enough"), "{told}");
    }
    let explain =
        |id: &str| stella.run(&["sampling", "explain", "--policy", &policy, "--trace", id]);
    let nobody = explain(&"9".repeat(32));
    assert_eq!(nobody.status.code(), Some(3));
    let errors = String::from_utf8(nobody.stderr).unwrap();
    assert!(
        errors.contains("holds no span") && errors.contains("hint:"),
        "{errors}"
    );
    assert_eq!(explain("xyz").status.code(), Some(2));

    // The policies alone, with a mistake.
    let wrong = stella.folder().join("wrong.yaml");
    std::fs::write(&wrong, "wait: 1s\nremember: 2s\npolicies:\n  - {name: a, type: error}\n  - {name: b, type: latency}\n").unwrap();
    let wrong = wrong.display().to_string();
    let refused = stella.run(&["sampling", "simulate", "--policy", &wrong]);
    assert_eq!(refused.status.code(), Some(3));
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(
        errors.contains("wrong.yaml:5:12") && errors.contains("hint:"),
        "{errors}"
    );
}
