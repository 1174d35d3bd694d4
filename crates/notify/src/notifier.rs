//! One target with its templates and its time limit.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, ConfigError, TargetConfig};
use crate::target::{Class, Failure, Message, Target, TargetName};
use crate::template::Templates;
use crate::{Event, targets};

/// Tells one target, once at a time.
pub struct Notifier {
    name: TargetName,
    description: String,
    timeout: Duration,
    templates: Arc<Templates>,
    target: Box<dyn Target>,
}

impl Notifier {
    /// Makes those of a configuration. Nothing is contacted.
    ///
    /// # Errors
    /// What is wrong with which target.
    pub fn all(
        config: &Config,
        connector: &egress::Connector,
    ) -> Result<Vec<Notifier>, ConfigError> {
        let templates = Arc::new(config.templates.clone());
        let make = |target: &TargetConfig| {
            let made = targets::make(&target.kind, &config.source, connector);
            Ok(Notifier {
                name: target.name.clone(),
                description: target.kind.describe(),
                timeout: target.timeout,
                templates: Arc::clone(&templates),
                target: made.map_err(|error| error.of(&target.name))?,
            })
        };
        config.targets.iter().map(make).collect()
    }

    /// Its name.
    pub fn name(&self) -> &TargetName {
        &self.name
    }

    /// What it is, without secrets.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Tells it of an event, once.
    ///
    /// # Errors
    /// If it did not take it within its time.
    pub async fn notify(&self, event: &Event) -> Result<(), Failure> {
        let (title, text) = self.templates.render(event);
        let message = Message {
            event: event.clone(),
            title,
            text,
        };
        match tokio::time::timeout(self.timeout, self.target.send(&message)).await {
            Ok(sent) => sent,
            Err(_) => {
                let text = format!("no answer within {:?}", self.timeout);
                Err(Failure::new(Class::Transient, text))
            }
        }
    }
}
