//! What is started.

use std::path::Path;

use crate::config::ConfigError;

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The program's absolute path and its arguments, which no shell looks at.
    pub run: Vec<String>,
}

impl Config {
    /// For people. Arguments may be secrets.
    pub fn describe(&self) -> String {
        let program = self.run.first().map_or("", String::as_str);
        format!("command {program}")
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let program = self.run.first().map(Path::new);
        if !program.is_some_and(Path::is_absolute) {
            return Err(ConfigError::wrong(
                "`run` does not begin with the absolute path of a program",
                "write it as in `run: [/usr/local/bin/page, --team, oncall]`; no shell looks at it",
            ));
        }
        if self.run.iter().any(|word| word.contains('\0')) {
            let hint = "take it out";
            return Err(ConfigError::wrong("`run` holds a zero byte", hint));
        }
        Ok(())
    }
}
