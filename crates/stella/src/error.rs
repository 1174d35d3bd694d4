//! What a person sees when a command fails, and the exit code that a script sees.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// The exit codes of every command. They are part of the interface and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The command could not be carried out.
    Failure = 1,
    /// The command line itself was wrong (also what the argument parser exits with).
    Usage = 2,
    /// The profile or another input was wrong.
    BadInput = 3,
    /// What was checked is damaged.
    Damaged = 4,
    /// A server could not be reached or did not take what was sent.
    Unavailable = 5,
    /// A check found something: a pattern that survives redaction, a likely mistake in a policy.
    Findings = 6,
}

impl Exit {
    /// Every code with its meaning, for the reference.
    pub const ALL: [(Exit, &'static str); 7] = [
        (Exit::Success, "done"),
        (Exit::Failure, "the command could not be carried out"),
        (Exit::Usage, "the command line was wrong"),
        (Exit::BadInput, "the profile or another input was wrong"),
        (Exit::Damaged, "what was checked is damaged"),
        (
            Exit::Unavailable,
            "a server could not be reached or did not take what was sent",
        ),
        (
            Exit::Findings,
            "a check found something: a pattern that survives redaction, a likely mistake in a policy",
        ),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
    /// Standard output was closed by its reader, which is no error.
    closed: bool,
}

/// What every command returns.
pub type CliResult<T = Exit> = Result<T, CliError>;

impl CliError {
    /// An error of the given kind.
    pub fn new(exit: Exit, message: impl Display) -> Self {
        CliError {
            exit,
            message: message.to_string(),
            hint: None,
            closed: false,
        }
    }

    /// The same error with what the person could do about it.
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The same error, where what was wrong came from somewhere else.
    pub fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Prints the error and says how to exit.
    pub fn report(&self) -> Exit {
        if self.closed {
            return Exit::Success;
        }
        let style = anstyle::AnsiColor::Red.on_default().bold();
        let mut text = format!("{style}error{style:#}: {}\n", self.message.trim_end());
        if let Some(hint) = &self.hint {
            let style = anstyle::AnsiColor::Cyan.on_default().bold();
            text.push_str(&format!("{style}hint{style:#}: {hint}\n"));
        }
        // Where even this cannot be written, the exit code still speaks.
        let _ = io::Write::write_all(&mut anstream::stderr(), text.as_bytes());
        self.exit
    }
}

impl From<profile::Error> for CliError {
    fn from(error: profile::Error) -> Self {
        let handler =
            miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
        let mut shown = String::new();
        let rendered = handler.render_report(&mut shown, &error);
        let message = match rendered {
            Ok(()) if error.line_and_column().is_some() => {
                // The first lines repeat the message; what is wanted of it is the excerpt.
                let excerpt = shown.find("╭").map_or("", |at| &shown[at..]);
                format!("{error}\n   {}", excerpt.trim_end())
            }
            _ => error.to_string(),
        };
        let wrong = CliError::new(Exit::BadInput, message);
        match error.hint() {
            Some(hint) => wrong.hint(hint),
            None => wrong,
        }
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        CliError {
            closed,
            ..CliError::new(Exit::Failure, error)
        }
    }
}
