//! Addresses and numbers.

use super::{Hit, Reference, reference};
use policy::detect::Builtin::{self, *};
use regex::Regex;

const LATER: &str = r"(?:\z|[^A-Za-z0-9_.-]|[.-](?:\z|[^A-Za-z0-9_]))";
const EARLIER: &str = r"[A-Za-z0-9_]|[A-Za-z0-9_][.-]";

pub fn references(builtin: Builtin) -> Option<Vec<Reference>> {
    let one = match builtin {
        Ipv4 => ipv4(),
        Ipv6 => reference(
            "[0-9A-Za-z_:.]",
            &["([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?:[^0-9A-Za-z_:.]|\\z)"],
            ipv6,
        ),
        CardNumber => card(),
        Iban => reference(
            "[A-Za-z0-9_]",
            &[
                "([A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})(?:[^A-Za-z0-9_]|\\z)",
                "([A-Z]{2}[0-9]{2}(?: [A-Z0-9]{4})+(?: [A-Z0-9]{1,3})?)",
            ],
            iban,
        ),
        PhoneNumber => return Some(phones()),
        NationalIdUsSsn => laid_out(
            &["[0-9]{3}-[0-9]{2}-[0-9]{4}", "[0-9]{3} [0-9]{2} [0-9]{4}"],
            |h| {
                let never = Regex::new("^(?:000|666|9)|^.{4}00|0000$").unwrap();
                (!never.is_match(h.text())).then_some(h.end)
            },
        ),
        NationalIdUkNino => laid_out(
            &[
                "[ABCEGHJKLMNOPRSTWXYZ][ABCEGHJKLMNPRSTWXYZ][0-9]{6}[ABCD]",
                "[ABCEGHJKLMNOPRSTWXYZ][ABCEGHJKLMNPRSTWXYZ](?: [0-9]{2}){3} [ABCD]",
            ],
            |h| {
                let never = Regex::new("^(?:BG|GB|NK|KN|TN|NT|ZZ)").unwrap();
                (!never.is_match(h.text())).then_some(h.end)
            },
        ),
        NationalIdFrNir => laid_out(
            &[
                "[12][0-9]{4}[0-9][0-9AB][0-9]{8}",
                "[12] [0-9]{2} [0-9]{2} [0-9][0-9AB] [0-9]{3} [0-9]{3} [0-9]{2}",
            ],
            |h| {
                let text = kept(h.text()).replace("2A", "19").replace("2B", "18");
                let month = text[3..5].parse::<u32>().unwrap();
                let n = text[..13].parse::<u64>().ok()?;
                let real = matches!(month, 1..=12 | 20..=42 | 50..=99);
                (real
                    && (n + text[13..].parse::<u64>().unwrap()) % 97 == 0
                    && text[13..] != *"00"
                    && text[13..] <= *"97")
                    .then_some(h.end)
            },
        ),
        NationalIdEsDni => laid_out(
            &[
                "[0-9]{8}-?[A-Z]",
                "[XYZ][0-9]{7}[A-Z]",
                "[XYZ]-[0-9]{7}-[A-Z]",
            ],
            |h| {
                let text = kept(h.text()).replacen('X', "0", 1).replacen('Y', "1", 1);
                let text = if h.text().starts_with('Z') {
                    text.replacen('Z', "2", 1)
                } else {
                    text
                };
                // The letter may itself have been an X or Y that was replaced: take it as it was.
                let n = text[..8].parse::<usize>().ok()?;
                let letter = h.text().chars().last()?;
                ("TRWAGMYFPDXBNJZSQVHLCKE".chars().nth(n % 23) == Some(letter)).then_some(h.end)
            },
        ),
        NationalIdPlPesel => laid_out(
            &["[0-9]{2}(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{5}"],
            |h| {
                let sum: u32 = digits(h.text())
                    .iter()
                    .zip([9, 7, 3, 1, 9, 7, 3, 1, 9, 7])
                    .map(|(d, w)| d * w)
                    .sum();
                // The other way of the same rule: these weights give the check digit itself.
                (sum % 10 == digits(h.text())[10]).then_some(h.end)
            },
        ),
        NationalIdNlBsn => laid_out(&["[0-9]{9}", r"[0-9]{4}\.[0-9]{2}\.[0-9]{3}"], |h| {
            let sum: i64 = digits(h.text())
                .iter()
                .zip([9, 8, 7, 6, 5, 4, 3, 2, -1])
                .map(|(&d, w)| i64::from(d) * w)
                .sum();
            // A remainder of ten has no digit.
            (sum % 11 == 0 && kept(h.text()) != "000000000").then_some(h.end)
        }),
        NationalIdBrCpf => laid_out(
            &[r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "[0-9]{11}"],
            |h| {
                let d = digits(h.text());
                let check = |n: usize| {
                    let sum: u32 = (0..n).map(|i| d[i] * (n as u32 + 1 - i as u32)).sum();
                    sum * 10 % 11 % 10 == d[n]
                };
                (check(9) && check(10) && d.iter().any(|&x| x != d[0])).then_some(h.end)
            },
        ),
        NationalIdInAadhaar => laid_out(
            &[
                "[2-9][0-9]{3} [0-9]{4} [0-9]{4}",
                "[2-9][0-9]{3}-[0-9]{4}-[0-9]{4}",
                "[2-9][0-9]{11}",
            ],
            |h| verhoeff(&digits(h.text())).then_some(h.end),
        ),
        _ => return None,
    };
    Some(vec![one])
}

fn laid_out(layouts: &[&str], valid: super::Valid) -> Reference {
    let bodies: Vec<String> = layouts
        .iter()
        .map(|layout| format!("({layout}){LATER}"))
        .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    reference(EARLIER, &bodies, valid)
}

fn kept(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn ipv4() -> Reference {
    let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    let quad = format!(r"{octet}(?:\.{octet}){{3}}");
    let later = format!(
        r"(?:\z|[^A-Za-z0-9_.+-]|\.(?:\z|[^0-9])|-(?:\z|[^A-Za-z0-9_])|-{quad}(?:\z|[^0-9]))"
    );
    reference(
        r#"[A-Za-z0-9_.]|[A-Za-z]-|(?i:version)[ =:"']{1,4}"#,
        &[&format!("({quad}){later}")],
        |h| {
            let product = Regex::new(r"[A-Za-z]/\z").unwrap().is_match(h.before())
                && !h.after().starts_with(':');
            let nobody = Regex::new(r"^(?:127\..*|0\.0\.0\.0|255\.255\.255\.255)$")
                .unwrap()
                .is_match(h.text());
            (!product && !nobody).then_some(h.end)
        },
    )
}

fn ipv6(h: &Hit<'_>) -> Option<usize> {
    let text = h.text();
    let text = match text.strip_suffix('.') {
        Some(rest) => rest,
        None if text.ends_with("::") => text,
        None => text.strip_suffix(':').unwrap_or(text),
    };
    let address: std::net::Ipv6Addr = text.parse().ok()?;
    let group = Regex::new("^[0-9A-Fa-f]{4}:").unwrap();
    let known = Regex::new("^(?:64:(?i:ff9b)::|::(?i:ffff):)").unwrap();
    let digit = Regex::new("[0-9]").unwrap();
    let long = Regex::new("[0-9A-Fa-f.]{3}").unwrap();
    let evident = if text.contains("::") {
        group.is_match(text) && digit.is_match(text) || known.is_match(text)
    } else {
        long.is_match(text)
    };
    (evident && u128::from(address) > 1).then_some(h.start + text.len())
}

fn card() -> Reference {
    let later = r"(?:\z|[^A-Za-z0-9_.-]|[.-](?:\z|[^0-9]))";
    let mut bodies = vec![format!("([0-9]{{13,19}}){later}")];
    for sizes in ["44443", "4444", "465", "464", "4441"] {
        for separator in [" ", "-"] {
            let groups: Vec<String> = sizes.chars().map(|n| format!("[0-9]{{{n}}}")).collect();
            bodies.push(format!("({}){later}", groups.join(separator)));
        }
    }
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    reference("[A-Za-z0-9_]|[0-9][.-]", &bodies, |h| {
        let number = kept(h.text());
        let issuers = Regex::new(concat!(
            "^(?:4(?:.{12}|.{15}|.{18})|(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720).*|3[47].{13}",
            "|(?:30[0-5]|3095|36|38|39).{10,17}|(?:6011|62|64[4-9]|65|352[89]|35[3-8]|220[0-4]).{10,18}",
            "|(?:5018|5020|5038|5893|6304|6759|676[1-3]).*)$"
        ));
        let len = number.len();
        let fits = match &number[..2] {
            "51" | "52" | "53" | "54" | "55" | "23" | "24" | "25" | "26" | "27" => len == 16,
            "22" if number[..4] > *"2204" => len == 16,
            "30" | "36" | "38" | "39" => len >= 14,
            "60" | "62" | "64" | "65" | "35" | "22" => len >= 16,
            _ => true,
        };
        let doubled = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
        let sum: u32 = digits(&number)
            .iter()
            .enumerate()
            .map(|(i, &d)| {
                if (len - i).is_multiple_of(2) {
                    doubled[d as usize]
                } else {
                    d
                }
            })
            .sum();
        (issuers.unwrap().is_match(&number) && fits && sum.is_multiple_of(10)).then_some(h.end)
    })
}

fn iban(h: &Hit<'_>) -> Option<usize> {
    let len = match &h.text()[..2] {
        "DE" => 22,
        "GB" => 22,
        "NO" => 15,
        "FR" => 27,
        _ => return None,
    };
    let all = h.value[h.start..].char_indices();
    let (last, _) = all.filter(|(_, c)| *c != ' ').nth(len - 1)?;
    let end = h.start + last + 1;
    if end > h.end || h.value[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let text = kept(&h.value[h.start..end]);
    let number: String = format!("{}{}", &text[4..], &text[..4])
        .chars()
        .map(|c| c.to_digit(36).unwrap().to_string())
        .collect();
    // Long division, nine digits at a time.
    let rest = number.as_bytes().chunks(9).fold(0u64, |rest, chunk| {
        format!("{rest}{}", std::str::from_utf8(chunk).unwrap())
            .parse::<u64>()
            .unwrap()
            % 97
    });
    (rest == 1).then_some(end)
}

fn phones() -> Vec<Reference> {
    let plus = reference(r"[A-Za-z0-9_+]", &[r"(\+[1-9][0-9 .()-]*)"], |h| {
        let shape = Regex::new(r"^\+[0-9]+(?:(?: \(|\) |\)-|[ .()-])[0-9]+)*$").unwrap();
        (h.start + 1..=h.end).rev().find(|&end| {
            let text = &h.value[h.start..end];
            shape.is_match(text)
                && (8..=15).contains(&digits(text).len())
                && !Regex::new("^[A-Za-z0-9_]")
                    .unwrap()
                    .is_match(&h.value[end..])
        })
    });
    let later = r"(?:\z|[^A-Za-z0-9_./-]|[./-](?:\z|[^A-Za-z0-9_]))";
    let bodies: Vec<String> = [
        r"\([2-9][0-9]{2}\) ?[2-9][0-9]{2}(?:-|\.)[0-9]{4}",
        r"[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}",
        r"[2-9][0-9]{2}\.[2-9][0-9]{2}\.[0-9]{4}",
    ]
    .iter()
    .map(|body| format!("({body}){later}"))
    .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let american = reference(
        r"[A-Za-z0-9_/]|[^1][.-]|\A[.-]|[A-Za-z0-9_]1[.-]",
        &bodies,
        |h| Some(h.end),
    );
    vec![plus, american]
}

/// With the tables as Verhoeff printed them.
fn verhoeff(digits: &[u32]) -> bool {
    const D: [&str; 10] = [
        "0123456789",
        "1234067895",
        "2340178956",
        "3401289567",
        "4012395678",
        "5987604321",
        "6598710432",
        "7659821043",
        "8765932104",
        "9876543210",
    ];
    const P: [&str; 8] = [
        "0123456789",
        "1576283094",
        "5803796142",
        "8916043527",
        "9453126870",
        "4286573901",
        "2793806415",
        "7046913258",
    ];
    let at = |row: &str, i: usize| usize::from(row.as_bytes()[i] - b'0');
    let mut check = 0;
    for (i, &digit) in digits.iter().rev().enumerate() {
        check = at(D[check], at(P[i % 8], digit as usize));
    }
    check == 0
}
