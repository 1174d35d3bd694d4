//! Sending.

use egress::{ConnectError, Connector, Stream};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;

use super::config::{Addresses, Config, Security};
use super::encode;
use super::starttls::{self, Greeted};
use crate::config::ConfigError;
use crate::target::{Class, Failure, Message, Sending, Target};

/// A mail server.
pub(crate) struct Smtp {
    config: Config,
    addresses: Addresses,
    connector: Connector,
}

impl Smtp {
    pub(crate) fn new(config: &Config, connector: &Connector) -> Result<Self, ConfigError> {
        Ok(Smtp {
            addresses: config.addresses()?,
            config: config.clone(),
            connector: connector.clone(),
        })
    }

    async fn send_once(&self, message: &Message) -> Result<(), Failure> {
        let letter = encode::letter(&self.addresses, message);
        let letter = letter.map_err(|error| Failure::new(Class::Refused, error))?;
        let stream = self.connect().await?;
        let hello = ClientId::default();
        let opened = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
        let mut connection = opened.map_err(|error| failure(&error))?;
        if let Some(login) = &self.config.login {
            let credentials =
                Credentials::new(login.user.clone(), login.password.reveal().to_owned());
            let entered = connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await;
            entered.map_err(|error| {
                let mut failure = failure(&error);
                if failure.class == Class::Refused {
                    failure.class = Class::Misconfigured;
                }
                failure.message = login.password.scrub(failure.message);
                failure
            })?;
        }
        let sent = connection
            .send(letter.envelope(), &letter.formatted())
            .await;
        sent.map_err(|error| failure(&error))?;
        // It has taken the letter; whether it says goodbye does not matter.
        let _ = connection.quit().await;
        Ok(())
    }

    async fn connect(&self) -> Result<Greeted<Stream>, Failure> {
        let (host, port) = (self.config.host.as_str(), self.config.port);
        let refused = |error: ConnectError| {
            let class = match error {
                ConnectError::Sealed { .. } => Class::Misconfigured,
                _ => Class::Transient,
            };
            Failure::new(class, error)
        };
        let connected = match &self.config.security {
            Security::Implicit(tls) => self.connector.connect_tls(host, port, tls).await,
            _ => self.connector.connect(host, port).await,
        };
        let mut stream = connected.map_err(refused)?;
        let Security::StartTls(tls) = &self.config.security else {
            return Ok(Greeted::fresh(stream));
        };
        starttls::prepare(&mut stream).await?;
        let secured = stream.upgrade(host, port, tls).await;
        Ok(Greeted::again(secured.map_err(refused)?))
    }
}

/// What lettre's error means. 552 and 554 speak of the letter; what else is refused for good speaks
/// of addresses or rights, which somebody may mend.
fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    let code = error.status().map(|code| code.to_string());
    let class = match code.as_deref() {
        Some("552" | "554") => Class::Refused,
        Some(code) if code.starts_with('4') => Class::Transient,
        Some(_) => Class::Misconfigured,
        None if error.is_client() => Class::Misconfigured,
        None => Class::Transient,
    };
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    Failure::new(class, text)
}

impl Target for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.send_once(message))
    }
}
