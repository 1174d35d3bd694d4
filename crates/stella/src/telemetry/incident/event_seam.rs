//! Who is told of incidents: the outbox of notifications.

use control::seam::{Event, Events};
use notify::Outbox;

/// The outbox of a gateway that has somebody to tell.
pub struct EventSeam(pub Outbox);

impl Events for EventSeam {
    fn put(&self, event: &Event) -> Result<(), String> {
        let Event {
            id,
            kind,
            time,
            incident,
            tenant,
            data,
        } = event;
        let told = notify::Event::new(
            id,
            kind,
            *time,
            incident.as_str(),
            tenant.clone(),
            data.clone(),
        );
        let told = told.map_err(|error| error.to_string())?;
        self.0
            .put(&told)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}
