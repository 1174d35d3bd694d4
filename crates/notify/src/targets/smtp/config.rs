//! Which server, as whom, to whom.

use std::path::Path;
use std::sync::Arc;

use egress::Secret;
use lettre::Address;
use lettre::message::Mailbox;

use crate::config::ConfigError;
use crate::secret_file;

/// The most addresses that one e-mail goes to.
const MAX_TO: usize = 50;

/// A mail server and a letter's addresses.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server's host: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// As whom, if the server asks.
    pub login: Option<Login>,
    /// Whom it is from: an address, or `Name <address>`.
    pub from: String,
    /// Whom it is to.
    pub to: Vec<String>,
}

/// How the connection is protected.
#[derive(Clone, Debug)]
pub enum Security {
    /// Plaintext first, then STARTTLS; nothing is sent where the server does not offer it.
    StartTls(Arc<tls::Client>),
    /// TLS from the start.
    Implicit(Arc<tls::Client>),
    /// None. A login is then sent in the clear too.
    Insecure,
}

/// A name and a password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Login {
    /// With the password in a file that nobody else can read.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(user: impl Into<String>, password_file: &Path) -> Result<Login, ConfigError> {
        Ok(Login {
            user: user.into(),
            password: secret_file::read(password_file)?,
        })
    }
}

/// The addresses, checked.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
}

impl Config {
    /// For people, without secrets.
    pub fn describe(&self) -> String {
        let how = match self.security {
            Security::StartTls(_) => "STARTTLS",
            Security::Implicit(_) => "TLS",
            Security::Insecure => "plaintext",
        };
        let to = self.to.join(", ");
        format!("e-mail to {to} by {}:{} ({how})", self.host, self.port)
    }

    pub(super) fn addresses(&self) -> Result<Addresses, ConfigError> {
        let mailbox = |text: &String| {
            text.parse::<Mailbox>().map_err(|error| {
                let text = egress::one_line(text);
                let hint = "write it as in `Stella <stella@example.com>`";
                ConfigError::wrong(format!("`{text}` is no address: {error}"), hint)
            })
        };
        if self.to.is_empty() || self.to.len() > MAX_TO {
            let what = format!("an e-mail to {} addresses", self.to.len());
            return Err(ConfigError::wrong(what, "`to` has 1 to 50 addresses"));
        }
        Ok(Addresses {
            from: mailbox(&self.from)?,
            to: self.to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }
}

impl Addresses {
    pub(super) fn domain(&self) -> &str {
        let address: &Address = &self.from.email;
        address.domain()
    }
}
