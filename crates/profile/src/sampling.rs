//! `sampling`: what is wrong with it, and where that stands.

use document::Error;
use sampler::config::{ConfigError, Sampling};

use crate::load::{place_of, place_of_name};

/// Checks it as the sampler will.
pub(crate) fn check(name: &str, text: &str, sampling: &Sampling) -> Result<(), Error> {
    if sampling.policies.is_empty() {
        let hint =
            "name what is to be kept under `policies`; to ship everything, leave `sampling` out";
        let message = "`sampling` has no policies, so no trace would be shipped".to_owned();
        let ((line, column), length) = place(
            text,
            &ConfigError::TooMany {
                count: 0,
                what: "policies",
                most: 0,
            },
        );
        let at = (line, column);
        return Err(Error::at(
            name,
            text,
            at,
            length,
            message,
            Some(hint.to_owned()),
        ));
    }
    let Err(error) = sampling.validate() else {
        return Ok(());
    };
    let (at, length) = place(text, &error);
    let told = error.to_string();
    let (message, hint) = match told.split_once("\nhint: ") {
        Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
        None => (told, None),
    };
    Err(Error::at(name, text, at, length, message, hint))
}

/// Where in the text the fault is, and how long what is marked.
fn place(text: &str, error: &ConfigError) -> ((usize, usize), usize) {
    let key = "sampling:";
    let (begin, _) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.trim_start_matches('{').trim_start().starts_with(key))
        .map_or((0, ""), |found| found);
    let rest = |from: usize| text.split_inclusive('\n').skip(from).collect::<String>();
    let after = rest(begin);
    let ((line, column), length) = match error {
        ConfigError::Time { key, .. } | ConfigError::Traces { key, .. } => {
            (place_of(&after, &format!("{key}:")), key.len())
        }
        ConfigError::Policy { policy, .. } => {
            // The innermost name is the one at fault.
            let own = policy.rsplit('/').next().unwrap_or(policy);
            (place_of_name(&after, own), own.len())
        }
        _ => (place_of(&after, key), key.len() - 1),
    };
    // What a default is to blame for stands nowhere.
    let nowhere = (line, column) == (1, 1) && begin > 0;
    let length = if nowhere { key.len() - 1 } else { length };
    ((begin + line, column), length.max(1))
}
