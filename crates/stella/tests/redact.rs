//! `redact` and `token` as a person meets them: what they print, where, and how they exit.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use minisign::KeyPair;
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

/// A trace with a secret in a URL, a person, a body-less key and a clean one.
const TRACE: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
  "name":"GET /","traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
  "attributes":[
    {"key":"url.full","value":{"stringValue":"https://example.com/?password=hunter2&page=3"}},
    {"key":"user.email","value":{"stringValue":"ada@example.com"}},
    {"key":"http.request.header.authorization","value":{"stringValue":"Basic Zm9v"}},
    {"key":"order.id","value":{"stringValue":"A-4711"}},
    {"key":"http.request.method","value":{"stringValue":"GET"}}]}]}]}]}"#;
const LOG: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"mail of ada@example.com"}}]}]}]}"#;

/// A folder with files, in which commands run.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing closes it.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("telemetry").args(arguments);
        command.current_dir(self.0.path()).env_remove("NO_COLOR");
        command.env_remove("CLICOLOR_FORCE");
        command
    }

    /// Exit code, standard output, standard error.
    fn texts(&self, arguments: &[&str]) -> (i32, String, String) {
        texts(&self.run(arguments, b""))
    }

    /// Exit code and the lines of JSON.
    fn json(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let (code, out, _) = self.texts(&[arguments, &["--output", "json"]].concat());
        let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
        (code, lines.collect())
    }

    /// Signs a file, with `minisign`'s own code.
    fn sign(&self, name: &str, pair: &KeyPair) {
        let text = std::fs::read(self.path(name)).unwrap();
        let signature = minisign::sign(Some(&pair.pk), &pair.sk, &text[..], Some("good"), None);
        self.write(
            &format!("{name}.minisig"),
            &signature.unwrap().into_string(),
        );
    }
}

fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().expect("an exit code");
    (code, text(&output.stdout), text(&output.stderr))
}

/// Guarantees: what goes is shown with its path, before, after, rule and action, and in sum; the
/// same twice; without colours where nobody looks.
#[test]
fn test_shows_what_goes() {
    let folder = Folder::with(&[("trace.json", TRACE)]);
    let arguments = ["redact", "test", "--policy", "default", "trace.json"];
    let (code, out, errors) = folder.texts(&arguments);
    assert_eq!((code, errors.as_str()), (0, ""));
    let at = "resource_spans[0].scope_spans[0].spans[0].attributes";
    for part in [
        "trace.json, request 1 (traces)\n".to_owned(),
        format!(
            "  {at}[\"url.full\"]\n    - https://example.com/?password=[-hunter2-]&page=3\n    + https://example.com/?password=[REDACTED]&page=3\n    by "
        ),
        format!("  {at}[\"user.email\"]\n    - [-ada@example.com-]\n    + [REDACTED]\n"),
        format!(
            "  {at}[\"http.request.header.authorization\"]\n    - [-Basic Zm9v-]\n    + (gone)\n"
        ),
        "\n3 changes in 1 request of 1 file\n".to_owned(),
    ] {
        assert!(out.contains(&part), "{part}\nis not in\n{out}");
    }
    assert!(
        !out.contains("http.request.method") && !out.contains('\u{1b}'),
        "{out}"
    );
    assert_eq!(folder.texts(&arguments).1, out);
}

/// Guarantees: with colours what goes is struck and red, and values cannot act on the terminal.
#[test]
fn test_strikes_in_colour() {
    let trace = TRACE.replace("ada@example.com", r"\u001b[2Jada@example.com");
    let folder = Folder::with(&[("trace.json", &trace)]);
    let output = folder
        .command(&["redact", "test", "--policy", "default", "trace.json"])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    let (code, out, _) = texts(&output);
    assert_eq!(code, 0);
    assert!(
        out.contains("password=\u{1b}[9m\u{1b}[31mhunter2\u{1b}[0m&page"),
        "{out}"
    );
    assert!(
        out.contains("\\u{1b}[2Jada@") && !out.contains("\u{1b}[2J"),
        "{out}"
    );
    assert!(!out.contains("[-hunter2-]"), "{out}");
}

/// Guarantees: JSON, JSON lines, protobuf and standard input are read alike, and JSON is printed
/// for machines.
#[test]
fn test_reads_all_forms_and_prints_json() {
    let lines = format!("{}\n{LOG}\n", TRACE.replace('\n', ""));
    let folder = Folder::with(&[("trace.json", TRACE), ("lines.json", &lines)]);
    let protobuf = otlp::json::decode(otlp::Signal::Traces, TRACE.as_bytes()).unwrap();
    std::fs::write(folder.path("trace.pb"), &protobuf).unwrap();
    let test = |file: &str| {
        folder.json(&[
            "redact", "test", "--policy", "default", "--signal", "traces", file,
        ])
    };
    let (code, from_json) = test("trace.json");
    assert_eq!((code, from_json.len()), (0, 4));
    let url = &from_json[0];
    assert_eq!(
        (&url["kind"], &url["signal"]),
        (&"change".into(), &"traces".into())
    );
    let before = url["before"].as_str().unwrap();
    let part = &url["parts"][0];
    let [start, end] = ["start", "end"].map(|key| part[key].as_u64().unwrap() as usize);
    assert_eq!(
        (&before[start..end], &part["action"]),
        ("hunter2", &"mask".into())
    );
    assert_eq!(from_json[2]["after"], Value::Null);
    let summary = &from_json[3];
    assert_eq!(
        (&summary["kind"], &summary["changes"]),
        (&"summary".into(), &3.into())
    );
    let (_, mut from_protobuf) = test("trace.pb");
    for line in &mut from_protobuf[..3] {
        line["file"] = "trace.json".into();
    }
    assert_eq!(from_protobuf, from_json);

    let (_, lines) = folder.json(&["redact", "test", "--policy", "default", "lines.json"]);
    assert_eq!(
        (&lines[3]["request"], &lines[3]["signal"]),
        (&2.into(), &"logs".into())
    );
    assert_eq!(lines[4]["requests"], 2);
    let arguments = ["redact", "test", "--policy", "airgap", "-"];
    let (code, out, _) = texts(&folder.run(&arguments, TRACE.as_bytes()));
    assert_eq!(code, 0);
    assert!(out.contains("by (not listed) (drop)"), "{out}");
}

/// Guarantees: a pattern that survives fails with a code of its own and says where and which; the
/// value goes to standard output alone. One that does not survive is no failure.
#[test]
fn test_fails_where_a_pattern_survives() {
    let folder = Folder::with(&[("trace.json", TRACE)]);
    let test = ["redact", "test", "--policy", "default", "trace.json"];
    let gone = ["--must-not-match", "hunter2", "--must-not-match", "ada@"];
    let (code, _, errors) = folder.texts(&[&test[..], &gone[..]].concat());
    assert_eq!((code, errors.as_str()), (0, ""));
    let left = ["--must-not-match", "hunter2", "--must-not-match", r"A-\d+"];
    let (code, out, errors) = folder.texts(&[&test[..], &left[..]].concat());
    assert_eq!(code, 6);
    let place = "  resource_spans[0].scope_spans[0].spans[0].attributes[\"order.id\"].value.string_value\n    survives: `A-4711` matches A-\\d+\n";
    assert!(out.contains(place), "{out}");
    assert!(
        errors.contains("survives in 1 place\nhint: ") && !errors.contains("4711"),
        "{errors}"
    );
    let (code, lines) = folder.json(&[&test[..], &left[..]].concat());
    assert_eq!(code, 6);
    let survivor = lines
        .iter()
        .find(|line| line["kind"] == "survivor")
        .unwrap();
    assert_eq!(
        (&survivor["text"], &survivor["pattern"]),
        (&"A-4711".into(), &r"A-\d+".into())
    );
    assert_eq!(lines.last().unwrap()["survivors"], 1);
}

/// Guarantees: a policy of one's own extends shipped ones and files beside it, is tightened by an
/// overlay, and hashes with the key that is given and with no other.
#[test]
fn test_takes_policies_of_a_site() {
    let folder = Folder::with(&[
        ("trace.json", TRACE),
        ("key", "0123456789abcdef\n"),
        (
            "base.yaml",
            "version: 1\nextends: default\nrules: [{ name: orders, keys: [order.id], action: tokenize }]\n",
        ),
        (
            "site.yaml",
            "version: 1\nextends: base\nrules: [{ name: way, keys: [http.request.method], action: mask }]\n",
        ),
        (
            "acme.yaml",
            "version: 1\nrules: [{ name: stricter, keys: [order.id], action: drop }]\n",
        ),
        (
            "loose.yaml",
            "version: 1\nrules: [{ name: looser, keys: [user.email], action: keep }]\n",
        ),
    ]);
    let test = ["redact", "test", "--policy", "site.yaml", "trace.json"];
    let with = |more: &[&str]| folder.texts(&[&test[..], more].concat());
    let (code, out, _) = with(&["--key", "key", "--key-id", "k7"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("    + orders:k7:") && out.contains("by way (mask)"),
        "{out}"
    );
    let (code, _, errors) = with(&[]);
    assert_eq!(code, 3);
    assert!(
        errors.contains("base")
            && errors.contains("has no key")
            && errors.contains("hint: give --key"),
        "{errors}"
    );
    let (_, out, _) = with(&["--key", "key", "--overlay", "acme.yaml"]);
    assert!(out.contains("by stricter (drop)"), "{out}");
    let (code, _, errors) = with(&["--key", "key", "--overlay", "loose.yaml"]);
    assert_eq!(code, 3);
    assert!(
        errors.contains("loose.yaml:2:") && errors.contains("would loosen"),
        "{errors}"
    );
    // From another folder too: beside the policy, not where the command runs.
    let site = folder.path("site.yaml");
    let elsewhere = Folder::with(&[]);
    let (code, ..) = elsewhere.texts(&["redact", "lint", "--policy", site.to_str().unwrap()]);
    assert_ne!(code, 3);
}

/// Guarantees: each input that is wrong is told with where it is and what to do, and with the code
/// for it; no secret is repeated.
#[test]
fn bad_input_is_told() {
    let folder = Folder::with(&[
        ("trace.json", TRACE),
        (
            "typo.yaml",
            "version: 1\nrules:\n  - { name: r, keyz: [a], action: drop }\n",
        ),
        ("lost.yaml", "version: 1\nextends: nowhere\n"),
        ("out.yaml", "version: 1\nextends: ../typo\n"),
        ("loop.yaml", "version: 1\nextends: loop.yaml\n"),
        ("oops.json", "{oops"),
        ("empty.json", ""),
        ("none.json", "{}"),
        ("short", "hunter2"),
    ]);
    for (arguments, code, told) in [
        ("test --policy nowhere.yaml trace.json", 3, "nowhere.yaml: "),
        (
            "test --policy typo.yaml trace.json",
            3,
            "typo.yaml:3:16: unknown",
        ),
        ("lint --policy typo.yaml", 3, "hint: did you mean `keys`"),
        (
            "show --policy lost.yaml",
            3,
            "lost.yaml:2:10: there is no policy `nowhere` to extend",
        ),
        (
            "show --policy out.yaml",
            3,
            "there is no policy `../typo` to extend",
        ),
        ("show --policy loop.yaml", 3, "policies extend each other"),
        (
            "test --policy default --must-not-match ( trace.json",
            2,
            "--must-not-match: regex parse error",
        ),
        (
            "test --policy default --must-not-match a* trace.json",
            2,
            "matches the empty text",
        ),
        ("test --policy default oops.json", 3, "oops.json: not OTLP"),
        (
            "test --policy default empty.json",
            3,
            "empty.json: the file is empty",
        ),
        (
            "test --policy default none.json",
            3,
            "none.json: the file holds no OTLP",
        ),
        ("test --policy default absent.json", 3, "absent.json: "),
        (
            "test --policy default --key short trace.json",
            3,
            "short: a site key has at least 16 bytes",
        ),
        (
            "test --policy default --key trace.json --key-id X trace.json",
            3,
            "the id of a site key",
        ),
        ("test --policy default", 2, "<FILE>"),
        ("test trace.json", 2, "--policy"),
        (
            "show --policy default --public-key RWQ",
            2,
            "the public key is neither",
        ),
        (
            "show --policy typo.yaml --public-key trace.json",
            3,
            "trace.json: this is no minisign public key",
        ),
    ] {
        let words: Vec<&str> = ["redact"].into_iter().chain(arguments.split(' ')).collect();
        let (exit, out, errors) = folder.texts(&words);
        assert_eq!((exit, out.as_str()), (code, ""), "{arguments}: {errors}");
        assert!(errors.contains(told), "{arguments}: {errors}");
        assert!(!errors.contains("hunter2"), "{arguments}: {errors}");
    }
    let (code, _, errors) =
        texts(&folder.run(&["redact", "test", "--policy", "default", "-"], b"\xff\xfe"));
    assert_eq!(code, 3);
    assert!(
        errors.contains("neither OTLP JSON nor an OTLP protobuf"),
        "{errors}"
    );
}

/// Guarantees: what lint finds is printed with kind, subject, message and hint and fails with a
/// code of its own; the shipped policies are clean.
#[test]
fn lint_prints_findings() {
    let folder = Folder::with(&[(
        "all.yaml",
        "version: 1\nmode: allow\nrules: [{ name: all, keys: ['*'], action: keep }]\n",
    )]);
    for name in ["default", "forensic", "airgap"] {
        let (code, out, errors) = folder.texts(&["redact", "lint", "--policy", name]);
        assert_eq!((code, errors.as_str()), (0, ""));
        assert_eq!(out, format!("{name}: nothing found\n"));
    }
    let (code, out, errors) = folder.texts(&["redact", "lint", "--policy", "all.yaml"]);
    assert_eq!((code, errors.as_str()), (6, ""));
    assert!(
        out.starts_with("too_broad: all: `*` keeps nearly every key\nhint: "),
        "{out}"
    );
    assert!(
        out.contains("personal_data: all: `user.email` commonly carries"),
        "{out}"
    );
    let (code, lines) = folder.json(&["redact", "lint", "--policy", "all.yaml"]);
    assert_eq!((code, &lines[0]["kind"]), (6, &"too_broad".into()));
    for key in ["subject", "message", "hint"] {
        assert!(
            lines[0][key].as_str().is_some_and(|text| !text.is_empty()),
            "{key}"
        );
    }
    let (code, lines) = folder.json(&["redact", "lint", "--policy", "default"]);
    assert_eq!((code, lines.len()), (0, 0));
}

/// Guarantees: a policy is shown joined with what it extends, in the order in which it is asked.
#[test]
fn show_prints_the_joined_rules() {
    let folder = Folder::with(&[(
        "site.yaml",
        "version: 1\nextends: airgap\npatterns: [{ name: staff, regex: 'E[0-9]{6}' }]\nrules: [{ name: own, detect: [staff], action: hash, signals: [logs] }]\n",
    )]);
    let (code, out, errors) = folder.texts(&["redact", "show", "--policy", "site.yaml"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    for part in [
        "made of         site.yaml, airgap, forensic\n",
        "mode            allow (only keys that a rule names pass)\n",
        "pattern         staff = E[0-9]{6} (site.yaml)\n",
        "\n1. own: hash what is found (site.yaml)\n   detect   staff\n   signals  logs\n",
        "\n2. ",
    ] {
        assert!(out.contains(part), "{part}\nis not in\n{out}");
    }
    folder.write(
        "sly.yaml",
        "version: 1\nrules: [{ name: r, keys: [\"\\e[2K\\r*\"], action: keep }]\n",
    );
    for command in ["show", "lint"] {
        let (_, out, _) = folder.texts(&["redact", command, "--policy", "sly.yaml"]);
        assert!(!out.contains(['\u{1b}', '\r']), "{out:?}");
    }
    let (_, lines) = folder.json(&["redact", "show", "--policy", "site.yaml"]);
    let documents: Vec<&str> = lines[0]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["document"].as_str().unwrap())
        .collect();
    let mut order = documents.clone();
    order.dedup();
    assert_eq!(order, ["site.yaml", "airgap", "forensic"]);
}

/// Guarantees: with a public key each file of a policy must be signed by it: a good signature is
/// taken; a changed file, another key, a changed trusted comment and a missing signature are not.
#[test]
fn signatures_are_checked() {
    let folder = Folder::with(&[
        ("base.yaml", "version: 1\nextends: default\n"),
        ("site.yaml", "version: 1\nextends: base\n"),
        (
            "acme.yaml",
            "version: 1\nrules: [{ name: r, keys: [k], action: drop }]\n",
        ),
    ]);
    let [pair, other] = [(); 2].map(|()| KeyPair::generate_unencrypted_keypair().unwrap());
    folder.write("minisign.pub", &pair.pk.to_box().unwrap().to_string());
    folder.write("other.pub", &other.pk.to_box().unwrap().to_string());
    let lint = |more: &[&str]| {
        folder.texts(&[&["redact", "lint", "--policy", "site.yaml"], more].concat())
    };
    let signed = ["--public-key", "minisign.pub"];
    let refused = |more: &[&str], told: &str| {
        let (code, out, errors) = lint(more);
        assert_eq!((code, out.as_str()), (3, ""), "{errors}");
        assert!(
            errors.contains(told) && errors.contains("hint: "),
            "{errors}"
        );
    };
    refused(
        &signed,
        "site.yaml is not signed: there is no site.yaml.minisig",
    );
    folder.sign("site.yaml", &pair);
    refused(&signed, "base.yaml is not signed");
    folder.sign("base.yaml", &pair);
    let (code, _, errors) = lint(&signed);
    assert_eq!(code, 0, "{errors}");
    let line = pair.pk.to_base64();
    assert_eq!(lint(&["--public-key", &line]).0, 0);
    for command in ["show", "test"] {
        let mut words = vec!["redact", command, "--policy", "site.yaml"];
        words.extend(signed);
        if command == "test" {
            words.push("-");
        }
        let (code, ..) = texts(&folder.run(&words, TRACE.as_bytes()));
        assert_eq!(code, 0, "{command}");
    }
    refused(&["--public-key", "other.pub"], "made with another key");
    let overlay = [&signed[..], &["--overlay", "acme.yaml"]].concat();
    refused(&overlay, "acme.yaml is not signed");
    folder.sign("acme.yaml", &other);
    refused(
        &overlay,
        "acme.yaml.minisig: the signature was made with another key",
    );

    let signature = std::fs::read_to_string(folder.path("base.yaml.minisig")).unwrap();
    folder.write("base.yaml.minisig", &signature.replace("good", "bad"));
    refused(&signed, "base.yaml.minisig: the signature does not fit");
    folder.write("base.yaml.minisig", &signature);
    folder.write("base.yaml", "version: 1\nextends: default\nmode: block\n");
    refused(&signed, "base.yaml.minisig: the signature does not fit");
    folder.write("base.yaml.minisig", "hello");
    refused(&signed, "this is no minisign signature");
    let (code, _, errors) = folder.texts(&[
        "redact", "show", "--policy", "default", signed[0], signed[1],
    ]);
    assert_eq!(code, 2);
    assert!(errors.contains("part of this binary"), "{errors}");
}

/// Guarantees: each token is new, is printed with the digest that `sha256sum` computes of it, and
/// `token hash` says the same; what is no token is refused and not repeated.
#[test]
fn tokens_are_made_and_hashed() {
    let folder = Folder::with(&[]);
    let (code, lines) = folder.json(&["token", "new"]);
    assert_eq!(code, 0);
    let [token, digest] = ["token", "digest"].map(|key| lines[0][key].as_str().unwrap().to_owned());
    let sum = Command::new("sh")
        .args(["-c", "printf %s \"$1\" | sha256sum", "sh", &token])
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(digest, format!("sha256:{}", &sum[..64]));
    let (code, out, errors) =
        texts(&folder.run(&["token", "hash"], format!("{token}\n").as_bytes()));
    assert_eq!((code, out, errors.as_str()), (0, format!("{digest}\n"), ""));

    let (code, out, errors) = folder.texts(&["token", "new"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let words: Vec<&str> = out.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("token", "digest"));
    assert!(
        out.ends_with(&format!("match:\n  - token: {}\n", words[3])),
        "{out}"
    );
    assert_eq!(out.matches(words[1]).count(), 1, "{out}");
    assert_ne!(words[1], token);

    let wrong = format!("{}0", &token[..token.len() - 1]);
    let other = format!("{}1", &token[..token.len() - 1]);
    let wrong = if wrong == token { other } else { wrong };
    for bad in ["", "hunter2", &wrong, "\u{fffd}"] {
        let (code, out, errors) = texts(&folder.run(&["token", "hash"], bad.as_bytes()));
        assert_eq!((code, out.as_str()), (3, ""));
        assert!(
            errors.contains("hint: ") && (bad.is_empty() || !errors.contains(bad)),
            "{errors}"
        );
    }
}
