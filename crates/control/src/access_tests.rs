#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use http::HeaderValue;
use policy::identity::token::opaque::NewToken;

use super::*;

const LOOPBACK: &str = "127.0.0.1:13134";

fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    pairs.iter().map(pair).collect()
}

fn peer() -> Peer {
    Peer {
        addr: "127.0.0.1:5".parse().unwrap(),
        certificate: None,
    }
}

fn admit(access: &Access, pairs: &[(&'static str, &str)]) -> Result<String, Denied> {
    access.admit(&head(pairs), &peer())
}

/// Guarantees: a port on loopback answers to loopback's names alone, and to no page of another
/// site, whatever it calls itself.
#[test]
fn other_names_and_other_sites_are_refused() {
    let access = Access::new(LOOPBACK.parse().unwrap(), None).unwrap();
    for good in [
        "127.0.0.1:13134",
        "localhost",
        "LOCALHOST:1",
        "[::1]:13134",
        "127.9.9.9",
    ] {
        assert_eq!(
            admit(&access, &[("host", good)]).unwrap(),
            "loopback",
            "{good}"
        );
    }
    for bad in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:13134",
        "10.0.0.1",
        "",
        "[::2]",
        "localhost@evil.example:1",
    ] {
        let refused = admit(&access, &[("host", bad)]);
        assert!(
            refused == Err(Denied::Host) || bad.contains('@'),
            "{bad}: {refused:?}"
        );
    }
    assert_eq!(admit(&access, &[]), Err(Denied::Host));
    let with = |more| admit(&access, &[("host", LOOPBACK), more]);
    assert!(with(("origin", "http://127.0.0.1:13134")).is_ok());
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:8080",
        "file://",
        "",
        "ftp://127.0.0.1:13134",
    ] {
        assert_eq!(with(("origin", origin)), Err(Denied::Origin), "{origin}");
    }
    assert!(with(("sec-fetch-site", "none")).is_ok());
    for site in ["cross-site", "same-site", "anything"] {
        assert_eq!(
            with(("sec-fetch-site", site)),
            Err(Denied::Origin),
            "{site}"
        );
    }
    // Off loopback the name is the site's own; the other site is refused all the same.
    let open = Access::new("10.0.0.1:13134".parse().unwrap(), None).unwrap();
    assert!(admit(&open, &[("host", "gateway.site")]).is_ok());
    let foreign = [("host", "gateway.site"), ("origin", "https://evil.example")];
    assert_eq!(admit(&open, &foreign), Err(Denied::Origin));
}

/// Guarantees: with a token file, nobody is let in without one of its tokens, on loopback neither;
/// a file that changes counts at once, and a bad one leaves the old tokens.
#[test]
fn tokens_are_asked_for_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    let (first, second) = (NewToken::new([1; 32]), NewToken::new([2; 32]));
    let line = |name: &str, token: &NewToken| format!("{name} {}\n", token.digest());
    std::fs::write(
        &path,
        format!("# who is on call\n\n{}", line("oncall", &first)),
    )
    .unwrap();
    let access = Access::new(LOOPBACK.parse().unwrap(), Some(&path)).unwrap();
    let with = |value: &str| admit(&access, &[("host", LOOPBACK), ("authorization", value)]);
    let bearer = |token: &NewToken| format!("Bearer {}", token.reveal());
    assert_eq!(admit(&access, &[("host", LOOPBACK)]), Err(Denied::Token));
    assert_eq!(with(&bearer(&first)).unwrap(), "token:oncall");
    assert_eq!(
        with(&bearer(&first).to_lowercase()).unwrap(),
        "token:oncall"
    );
    for bad in [
        bearer(&second),
        first.reveal().to_owned(),
        format!("Basic {}", first.reveal()),
        "Bearer ".to_owned(),
        first.digest().to_string(),
    ] {
        assert_eq!(with(&bad), Err(Denied::Token));
    }
    let twice = [
        ("host", LOOPBACK),
        ("authorization", "Bearer x"),
        ("authorization", "Bearer y"),
    ];
    assert_eq!(admit(&access, &twice), Err(Denied::Token));

    std::fs::write(
        &path,
        line("second", &second) + &line("third", &NewToken::new([3; 32])),
    )
    .unwrap();
    assert_eq!(with(&bearer(&second)).unwrap(), "token:second");
    assert_eq!(with(&bearer(&first)), Err(Denied::Token));
    std::fs::write(&path, "nonsense").unwrap();
    assert_eq!(with(&bearer(&second)).unwrap(), "token:second");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(with(&bearer(&second)).unwrap(), "token:second");
}

/// Guarantees: a token file that is wrong is refused with its line, and nothing of it is repeated.
#[test]
fn a_wrong_token_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    let secret = NewToken::new([7; 32]);
    for text in [
        "",
        "# none\n",
        "oncall\n",
        "a b c\n",
        &format!("oncall {}\n", secret.reveal()),
        &format!("on/call {}\n", secret.digest()),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Access::new(LOOPBACK.parse().unwrap(), Some(&path))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("hint:") && !error.contains(secret.reveal()),
            "{error}"
        );
    }
    assert!(Access::new(LOOPBACK.parse().unwrap(), Some(&dir.path().join("none"))).is_err());
}
