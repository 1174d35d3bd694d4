//! Each scanner against a reference: plain regular expressions, tried at every place of a value,
//! with the check digits computed another way. The references know no prefilter, no anchors and
//! no bounded look-back; what they find must be just what the scanners find.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use policy::detect::{Builtin, Detectors, Spec};
use proptest::prelude::*;

mod detect_reference;

use detect_reference::{Reference, references};

fn found(set: &Detectors, value: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    set.scan(value, &mut found);
    found.iter().map(|f| (f.start, f.end)).collect()
}

/// Compares on values put together from a detector's own fragments and what may stand between.
fn compare(builtin: Builtin, fragments: &'static [&'static str]) {
    const BETWEEN: &[&str] = &[
        "", "", "", " ", " ", "-", ".", ":", "=", "/", "_", "'", "\"", "\\", "\\\"", "(", ")", ",",
        "+", "@", "&", "?", ";", "1", "0", "a", "Z", "\n", "ß", "€",
    ];
    let set = Detectors::compile(&[Spec::Builtin(builtin)]).unwrap();
    let references: Vec<Reference> = references(builtin);
    let part = prop_oneof![
        5 => prop::sample::select(fragments).prop_map(str::to_owned),
        4 => prop::sample::select(BETWEEN).prop_map(str::to_owned),
        1 => "[0-9]{1,5}|[A-Za-z0-9]{1,6}",
    ];
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1000)
    };
    let hits = std::cell::Cell::new(0);
    proptest!(config, |(parts in prop::collection::vec(part, 1..14))| {
        let value = parts.concat();
        // Whether this backslash escapes depends on what follows; the corpus has examples.
        let ambiguous = value.contains("\\'") || value.contains("\\\"");
        prop_assume!(builtin != Builtin::SqlLiteral || !ambiguous);
        let expected = detect_reference::find(&references, &value);
        hits.set(hits.get() + expected.len());
        prop_assert_eq!(found(&set, &value), expected, "{:?} in {:?}", builtin, value);
    });
    assert!(hits.get() > 0, "{builtin:?}: only {} findings", hits.get());
}

macro_rules! compared {
    ($($name:ident $builtin:ident [$($fragment:expr),* $(,)?])*) => {$(
        /// Guarantees: this detector finds what its reference finds, and no more.
        #[test]
        fn $name() {
            compare(Builtin::$builtin, &[$($fragment),*]);
        }
    )*};
}

compared! {
    email Email ["bob@example.com", "a.b+c@x.io", "git@", "@", "alice", "example.org", ".co.uk", "7.50", ".x1", "xn--p1ai", "bob%"]
    ipv4 Ipv4 ["10.0.0.1", "192.168.", "256.", "1.2", ".3.4", "127.0.0.1", "0.0.0.0", "version", "Version: ", "Chrome/", "v", "01.1", "255.255.255.255", ":80"]
    ipv6 Ipv6 ["2001:db8::1", "fe80::", "::ffff:", "10.0.0.1", "1:2:3:4:5:6:7:8", "aa:bb:", "2001:", ":", "::", "ab", "64:ff9b::", "1234:1:2:3:4:5:6:7"]
    card CardNumber [concat!("4111", "111111111111"), concat!("4111 1111", " 1111 1111"), concat!("5555-5555", "-5555-4444"), "4111", "1111", "3782 822463 ", "10005", "4222", "222222222", "4444 4444 4444 8", "4444"]
    iban Iban [concat!("DE8937040044", "0532013000"), concat!("GB29 NWBK 6016", " 1331 9268 19"), "NO93", "86011117947", "NO93 8601 1117 947", "DE89", " 3704", "0044", "FR14"]
    jwt Jwt ["eyJ", "eyJhbGciOiJI", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", ".", "..", "abcd", "abcdefgh", "-_"]
    bearer BearerToken ["Bearer ", "bearer\t", "BEARER", "Authorization: ", "authorization\":[\"", "abc123xyz", "abcdefghijklmnopqrstuvwxyz", "token", "~", "short"]
    basic BasicCredentials ["Basic ", "basic\t", "BASIC", "Authorization: ", "authorization='", "dXNlcjpwYXNz", "YWxhZGRpbjpvcGVu", "authentication", "=="]
    aws_access_key AwsAccessKey ["AKIA", "ASIA", "ABIA", "QWERTYUI12345678", "QWERTYUI", "12345678", "lower"]
    gcp_api_key GcpApiKey ["AIza", "abcdefghijklmnopqrstuvwxyz012345678", "abcdefghijklmnopqrstuvwxyz01234567", "x_", "AIza-AIza"]
    github_token GithubToken ["ghp_", "gho_", "ghx_", "github_pat_", "abcdefgh", "ABCDEFGH12345678", "gh"]
    gitlab_token GitlabToken ["glpat-", "glrt-", "glagent-", "gl", "abcdefgh", "ABCDEFGH12345678", "a-b_c"]
    slack_token SlackToken ["xoxb-", "xoxp-", "xapp-", "hooks.slack.com/services/", "hooks", "T01234567/", "B01234567/", "abcdef", "slack.com/"]
    stripe_key StripeKey ["sk_live_", "rk_test_", "whsec_", "pk_live_", "abcdefgh", "ABCDEFGH12345678"]
    generic_secret GenericSecret ["password", "db_pass", "dbPass", "compass", "secret", "clientSecret", "api-key", "token", "nextPageToken", ": ", "=", "=>", " => ", ":", "=\"", "': '", "\\\":\\\"", "hunter2", "correct", "null", "<x>", "ns/name", "123", "***", "token: ", "&", "abcdef"]
    aws_secret_key AwsSecretKey ["aws_secret_access_key", "SecretAccessKey", "secret-key", "=", ": ", "\":\"", "\\\": \\\"", "abcdefghijklmnopqrstABCDEFGHIJKLMNOPQR/+", "abcdefghijklmnopqrst", "ABCDEFGHIJKLMNOPQRST"]
    gcp_service_account GcpServiceAccount ["private_key_id", "privateKeyId", "=", ": ", "\":\"", "\\\": \\\"", "0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123", "456789ABCDEF01234567"]
    azure_key AzureKey ["AccountKey", "SharedAccessKey", "sig", "sigma", "=", ":", "=\"", "abcdefghijklmnopqrst", "abcdefghij", "%3D", "=="]
    url_query_secret UrlQuerySecret ["?token", "&sig", "?X-Amz-Signature", "&key", "&page", "=", "==", "abc", "#frag", "?api_key=", "token="]
    private_key PrivateKey ["-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN ", "PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-----END ", "RSA ", "-----END PGP PRIVATE KEY BLOCK-----", "-----", "MIIB", "\n", "\\n", "-----BEGIN CERTIFICATE-----"]
    url_credentials UrlCredentials ["https://", "://", "user:pass@", "user", ":pass", "@", "host", "redis://:pw@h", "/"]
    sql_literal SqlLiteral ["SELECT ", "select ", "FROM ", " from t ", "UPDATE t SET ", "update ", "set ", "DELETE FROM ", "INSERT INTO ", "insert ", "into ", "'", "''", "'abc'", "42", "1.5e3", "0x1F", "t1", "$1", "?", "-- ", "/*", "*/", " = ", "=\"x\"", "\"id\"", "\".\"", "`x`", "ALTER USER "]
    phone_number PhoneNumber ["+49 30 1234567", "+14155552671", "+1", "(415) 555-2671", "415-555-2671", "415.555.2671", "415", "555", "2671", "12345", ") ", " (", "+1 (415) ", "1-"]
    us_ssn NationalIdUsSsn ["536-90-4399", "536 90 4399", "666-", "000", "536", "90", "4399", "900-12-3456"]
    uk_nino NationalIdUkNino ["AB123456C", "AB 12 34 56 C", "GB", "AB", "123456", "C", "OA123456A", "AO123456B"]
    fr_nir NationalIdFrNir ["255081416802538", "2 55 08 14 168 025 38", "2550814168025", "38", "39", "155082A16802504", "155082B"]
    es_dni NationalIdEsDni ["12345678Z", "X1234567L", "12345678-Z", "Y1234567X", "12345678", "Z", "A1234567L"]
    pl_pesel NationalIdPlPesel ["44051401359", "02070803628", "44051401358", "440514", "01359"]
    nl_bsn NationalIdNlBsn ["111222333", "123456782", "1112.22.333", "111222334", "000000000", "111"]
    br_cpf NationalIdBrCpf ["529.982.247-25", "52998224725", "529.982.", "247-25", "11111111111"]
    in_aadhaar NationalIdInAadhaar ["2341 2341 2346", "234123412346", "2341-2341-2346", "2341", "2346", "1341 2341 2346"]
}
