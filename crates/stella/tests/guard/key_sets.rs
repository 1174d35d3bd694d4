//! Key sets that change while the gateway runs.

use std::path::Path;

use super::tokens::{bearer, claims, profile};
use super::{BINARY, TAKEN, UNAUTHENTICATED, codes, send_each_way};
use testkit::jwt::{Kind, Signer, key_set};
use testkit::stella::Stella;
use testkit::wait_for;

/// Puts a file in the place of another, as tools that write key sets do.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn reloads(stella: &Stella, result: &str) -> f64 {
    stella.series(&format!(
        "stella_guard_key_set_reloads_total{{result=\"{result}\"}}"
    ))
}

/// Guarantees: a new key counts without a restart, and a key that was taken out does not, even for
/// tokens that were good a moment ago; a file that cannot be used changes nothing and is shown, told
/// and counted until it is good again.
#[test]
fn a_key_set_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let old = Signer::new(folder.path(), Kind::Es256, "old");
    let new = Signer::new(folder.path(), Kind::EdDsa, "new");
    let set = folder.path().join("jwks.json");
    std::fs::write(&set, key_set(&[&old])).unwrap();
    let stella = Stella::start(BINARY, &profile(&set));
    let tokens = [&old, &new].map(|signer| bearer(&signer.token(&claims("acme"))));
    let answered = |token: &str| codes(&send_each_way(&stella, &[("authorization", token)], "x"));
    assert_eq!(answered(&tokens[0]), TAKEN);
    assert_eq!(answered(&tokens[1]), UNAUTHENTICATED);

    let broken = ["{\"keys\": [", "{\"keys\": []}", ""];
    for (at, text) in (1..).zip(broken) {
        replace(&set, text);
        wait_for("the broken key set to be refused", || {
            reloads(&stella, "refused") == f64::from(at)
        });
        assert_eq!(stella.series("stella_guard_key_sets_unusable"), 1.0);
        assert_eq!(answered(&tokens[0]), TAKEN, "{text}");
    }
    std::fs::remove_file(&set).unwrap();
    wait_for("the missing key set to be told", || {
        stella.log().contains("jwks.json cannot be read")
    });
    assert_eq!(answered(&tokens[0]), TAKEN);

    replace(&set, &key_set(&[&old, &new]));
    wait_for("the second key", || answered(&tokens[1]) == TAKEN);
    assert_eq!(answered(&tokens[0]), TAKEN);
    assert_eq!(stella.series("stella_guard_key_sets_unusable"), 0.0);
    assert_eq!(reloads(&stella, "taken"), 1.0);

    replace(&set, &key_set(&[&new]));
    wait_for("the first key to go", || {
        answered(&tokens[0]) == UNAUTHENTICATED
    });
    assert_eq!(answered(&tokens[1]), TAKEN);
}
