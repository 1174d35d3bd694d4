//! Texts: addresses of people, tokens, assignments, keys, statements.

use super::{Hit, Reference, reference};
use policy::detect::Builtin::{self, *};
use regex::Regex;

pub fn references(builtin: Builtin) -> Option<Vec<Reference>> {
    let word = "[A-Za-z0-9_]";
    let end = |h: &Hit<'_>| Some(h.end);
    let some = |h: &Hit<'_>| coded(h, 4, "[A-Z0-9]").then_some(h.end);
    let capital = |h: &Hit<'_>| (coded(h, 4, "[A-Z0-9]") && coded(h, 1, "[A-Z]")).then_some(h.end);
    let one = match builtin {
        Email => reference(
            "[A-Za-z0-9._%+-]",
            &["([A-Za-z0-9._%+-]+@[0-9]*[A-Za-z-][A-Za-z0-9-]*(?:\\.[A-Za-z0-9-]+)*\\.(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]+))(?:[^A-Za-z0-9-]|\\z)"],
            |h| (!h.text().starts_with("git@")).then_some(h.end),
        )
        .fresh(),
        Jwt => reference(
            "[A-Za-z0-9_-]",
            &["(eyJ[A-Za-z0-9_-]{7,}\\.\\.?[A-Za-z0-9_-]{4,}(?:\\.[A-Za-z0-9_-]+){0,3})"],
            capital,
        ),
        BearerToken => reference(word, &["(?i:bearer)[ \t]+([A-Za-z0-9][A-Za-z0-9._~+/=-]*)"], |h| {
            let t = h.text();
            let alone = t.len() >= 24 || t.len() >= 8 && t.contains(|c: char| c.is_ascii_digit());
            (after_header(h) || alone).then_some(h.end)
        }),
        BasicCredentials => reference(word, &["(?i:basic)[ \t]+([A-Za-z0-9][A-Za-z0-9_+/=-]*)"], |h| {
            (h.text().len() >= 4 && (after_header(h) || is_pair(h.text()))).then_some(h.end)
        }),
        AwsAccessKey => reference(word, &["((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})(?:[^A-Za-z0-9]|\\z)"], end),
        GcpApiKey => reference(word, &["(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|\\z)"], capital),
        GithubToken => {
            return Some(vec![
                reference(word, &["(gh[pousr]_[A-Za-z0-9]{16,})"], some),
                reference(word, &["(github_pat_[A-Za-z0-9_]{16,})"], some),
            ]);
        }
        GitlabToken => reference(word, &["(gl(?:pat|ptt|dt|rt|soat|cbt|ft|imt|agent|oas)-[A-Za-z0-9_-]{16,})"], capital),
        SlackToken => {
            return Some(vec![
                reference(word, &["(xox[abeoprs]-[A-Za-z0-9-]{10,})"], |h| coded(h, 10, "[0-9]").then_some(h.end)),
                reference(word, &["(xapp-[A-Za-z0-9-]{10,})"], capital),
                reference(word, &["(hooks\\.slack\\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/+-]{16,})"], capital),
            ]);
        }
        StripeKey => {
            return Some(vec![
                reference(word, &["([sr]k_(?:live|test)_[A-Za-z0-9]{16,})"], some),
                reference(word, &["(whsec_[A-Za-z0-9/+]{16,})"], some),
            ]);
        }
        GenericSecret => return Some(assigned(&VALUES, generic)),
        AwsSecretKey => {
            return Some(assigned(&["(?:\\\\?[\"'`])?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|\\z)"], |h| {
                name_ends(h, "secretaccesskey|awssecretkey|awssecret|secretkey").then_some(h.end)
            }));
        }
        GcpServiceAccount => {
            return Some(assigned(&["(?:\\\\?[\"'`])?([A-Fa-f0-9]{40})(?:[^A-Fa-f0-9]|\\z)"], |h| {
                name_ends(h, "privatekeyid").then_some(h.end)
            }));
        }
        AzureKey => {
            return Some(assigned(&["(?:\\\\?[\"'`])?([A-Za-z0-9/+=%_-]{20,})"], |h| {
                (name_ends(h, "accountkey|sharedaccesskey") || name_ends(h, "\\Asig")).then_some(h.end)
            }));
        }
        UrlQuerySecret => return Some(assigned(&["([^\\x00-\\x20\"'`,;&<>()\\[\\]{}|]+)"], query)),
        PrivateKey => reference(
            "\\z.",
            &[
                "(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\\z))",
                "([=+/\\r\\n\\\\]*[A-Za-z0-9][A-Za-z0-9=+/\\r\\n\\\\]*-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)",
            ],
            end,
        ),
        UrlCredentials => reference(
            "\\z.",
            &["[A-Za-z0-9]://([^\\x00-\\x20/?#\"'<>`\\\\:]*:[^\\x00-\\x20/?#\"'<>`\\\\]+)@"],
            end,
        ),
        SqlLiteral => return Some(Vec::new()),
        _ => return None,
    };
    Some(vec![one])
}

fn coded(h: &Hit<'_>, least: usize, class: &str) -> bool {
    Regex::new(class).unwrap().find_iter(h.text()).count() >= least
}

fn after_header(h: &Hit<'_>) -> bool {
    Regex::new("(?i:authorization)[ \t:=\"'\\[\\\\]{1,8}\\z")
        .unwrap()
        .is_match(h.before())
}

fn is_pair(text: &str) -> bool {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = text
        .split('=')
        .next()
        .unwrap()
        .replace('-', "+")
        .replace('_', "/");
    let bits: String = text
        .chars()
        .map(|c| format!("{:06b}", alphabet.find(c).unwrap()))
        .collect();
    let decoded: Vec<u8> = (0..bits.len() / 8)
        .map(|i| u8::from_str_radix(&bits[8 * i..8 * i + 8], 2).unwrap())
        .collect();
    decoded.contains(&b':') && decoded.iter().all(|b| (0x20..0x7f).contains(b))
}

const VALUES: [&str; 7] = [
    "\\\\\"((?s:.*?))(?:\\\\\"|\\z)",
    "\\\\'((?s:.*?))(?:\\\\'|\\z)",
    "\\\\`((?s:.*?))(?:\\\\`|\\z)",
    "\"((?:[^\"\\\\]|\\\\(?s:.))*|(?:[^\"\\\\]|\\\\(?s:.))*\\\\\\z)(?:\"|\\z)",
    "'((?:[^'\\\\]|\\\\(?s:.))*|(?:[^'\\\\]|\\\\(?s:.))*\\\\\\z)(?:'|\\z)",
    "`((?:[^`\\\\]|\\\\(?s:.))*|(?:[^`\\\\]|\\\\(?s:.))*\\\\\\z)(?:`|\\z)",
    "([^\\x00-\\x20\"'`,;&<>()\\[\\]{}|]+)",
];

fn assigned(values: &[&str], valid: super::Valid) -> Vec<Reference> {
    let key = "(?P<key>[A-Za-z0-9_.-]+)(?P<quote>\\\\?[\"'])?[ \t]{0,4}(?P<sign>=>|=|:)(?P<space>[ \t]{0,4})";
    let bodies: Vec<String> = values.iter().map(|value| format!("{key}{value}")).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    vec![
        reference("[A-Za-z0-9_.-]", &bodies, valid)
            .fresh()
            .exclusive(),
    ]
}

/// What is assigned to, without case and separators; nothing if the sign is doubled.
fn name(h: &Hit<'_>) -> String {
    let sign = h.captures.name("sign").unwrap();
    if sign.len() == 1 && h.value[h.begin + sign.end()..].starts_with(sign.as_str()) {
        return String::new();
    }
    let key = h.captures.name("key").unwrap().as_str();
    key.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

/// The finding without the backslash of the escaped quote behind a bare value.
fn bare<'a>(h: &Hit<'a>) -> &'a str {
    let quote = ['"', '\'', '`'];
    let escaped = h.after().starts_with(quote) && !h.value[..h.start].ends_with(quote);
    match h.text().strip_suffix('\\') {
        Some(rest) if escaped => rest,
        _ => h.text(),
    }
}

fn name_ends(h: &Hit<'_>, names: &str) -> bool {
    Regex::new(&format!("(?:{names})\\z"))
        .unwrap()
        .is_match(&name(h))
}

fn query(h: &Hit<'_>) -> Option<usize> {
    let plain = h.captures.name("key").unwrap().end() == h.captures.name("sign").unwrap().start()
        && &h.captures["sign"] == "="
        && h.captures["space"].is_empty();
    let exact = "token|accesstoken|idtoken|refreshtoken|authtoken|apitoken|sig|signature|xamzsignature|xamzcredential|xamzsecuritytoken|xgoogsignature|xgoogcredential|awsaccesskeyid|key|apikey|accesskey|auth|password|passwd|pwd|pass|secret|clientsecret|session|sessionid|jwt|sharedaccesssignature|credential";
    let lead = h.before().ends_with(['?', '&']);
    let end = h.start + bare(h).split('#').next()?.len();
    (plain && lead && end > h.start && name_ends(h, &format!("\\A(?:{exact})"))).then_some(end)
}

fn generic(h: &Hit<'_>) -> Option<usize> {
    let value = bare(h);
    let key = h.captures.name("key").unwrap().as_str();
    let password = name_ends(h, "password|passwd|passphrase|pwd");
    let pass = Regex::new("(?:(?:\\A|[^A-Za-z0-9])(?i:pass)|[a-z]P(?i:ass))\\z")
        .unwrap()
        .is_match(key);
    let secret = name_ends(
        h,
        "secret|token|apikey|accesskey|secretkey|privatekey|encryptionkey|signingkey|accountkey|masterkey|authkey|sessionkey|credentials?",
    ) && !name_ends(h, "(?:next|page|continue|continuation)token");
    if !(password || pass || secret) {
        return None;
    }
    let placeholder = Regex::new(
        "^(?:\\*\\*\\*|<|\\[|\\{|\\(|\\$\\{|\\$\\(|%[svq]|xxxx|\\.\\.\\.|(?i:null|none|nil|undefined|true|false|redacted|masked|hidden|empty|required|missing|invalid|expired|unset|string)$)",
    );
    if name(h).is_empty() {
        return None;
    }
    let prose = &h.captures["sign"] == ":"
        && h.captures.name("quote").is_none()
        && !h.captures["space"].is_empty();
    let good = value.len() >= if password || pass { 3 } else { 6 }
        && !placeholder.unwrap().is_match(value)
        && (!prose || value.len() >= 6 && value.contains(|c: char| c.is_ascii_digit()))
        && (password || !pass || value.contains(|c: char| !c.is_ascii_digit()))
        && (password || pass || !Regex::new("^[a-z.-]*/[a-z.-]*$").unwrap().is_match(value));
    good.then_some(h.start + value.len())
}

/// The literals of SQL by a regular expression for each token.
pub fn sql(value: &str) -> Vec<(usize, usize)> {
    let verb = "select|with|insert|update|delete|merge|replace|create|alter";
    let lead = Regex::new(&format!(
        "\\A(?:[\\s(;]|/\\*(?s:.*?)\\*/)*(?i:{verb})(?-u:\\b)"
    ))
    .unwrap();
    let case = if lead.is_match(value) { "(?i)" } else { "" };
    let begin = [
        "SELECT(?-u:\\b)(?s:.*?)(?-u:\\b)FROM",
        "UPDATE(?-u:\\b)(?s:.*?)(?-u:\\b)SET",
        "(?:INSERT|REPLACE|MERGE)[^A-Za-z0-9_]+INTO",
        "DELETE[^A-Za-z0-9_]+FROM",
        "(?:CREATE|ALTER)[^A-Za-z0-9_]+USER",
    ]
    .iter()
    .filter_map(|shape| {
        Regex::new(&format!("{case}(?-u:\\b){shape}(?-u:\\b)"))
            .unwrap()
            .find(value)
    })
    .map(|found| (found.end(), found.start()))
    .min();
    let Some((complete, begin)) = begin else {
        return Vec::new();
    };
    // What is selected before another statement completes is looked at as well.
    let select = Regex::new(&format!("{case}(?-u:\\b)SELECT(?-u:\\b)")).unwrap();
    let begin = select
        .find(&value[..complete])
        .map_or(begin, |select| begin.min(select.start()));
    let tokens = [
        "'(?P<s>(?:[^'\\\\]|''|\\\\(?s:.))*\\\\?)(?:'|\\z)",
        "(?P<operator>[=<>] ?)\"(?P<d>(?:[^\"\\\\]|\"\"|\\\\(?s:.))*\\\\?)(?:\"|\\z)",
        "\"[^\"]*(?:\"|\\z)|`[^`]*(?:`|\\z)|--[^\\n]*|/\\*(?s:.*?)(?:\\*/|\\z)",
        "[A-Za-z_$@#:][A-Za-z0-9_]*",
        "(?P<n>0[xX][0-9A-Fa-f]*|[0-9]+(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?P<rest>[A-Za-z0-9_.]*)",
        "(?s:.)",
    ];
    let token = Regex::new(&format!("\\A(?:{})", tokens.join("|"))).unwrap();
    let (mut found, mut i) = (Vec::new(), begin);
    while i < value.len() {
        let captures = token.captures(&value[i..]).unwrap();
        let next = i + captures.get(0).unwrap().end();
        let quoted = captures.name("s").or_else(|| {
            captures
                .name("d")
                .filter(|_| !value[next..].starts_with('.'))
        });
        let number = captures.name("n").filter(|_| {
            !captures["rest"].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        });
        if let Some(range) = quoted.or(number).filter(|range| !range.is_empty()) {
            found.push((i + range.start(), i + range.end()));
        }
        i = match number {
            Some(range) => i + range.end(),
            None => next,
        };
    }
    found
}
