//! Taking dead letters back, from the command line, with or without a running gateway.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meter::Meter;
use serde::{Deserialize, Serialize};

use super::shelf::{DEAD, PENDING};
use super::{Limits, OpenError, Outbox, list, requests};
use crate::disk;
use crate::metrics::Metrics;
use crate::target::TargetName;

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All of them.
    All,
    /// Those of the event with this id, of every target.
    Id(String),
}

/// What became of a request to take dead letters back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retried {
    /// How many wait again.
    pub revived: usize,
    /// Whether a running gateway did it, which sends them now; otherwise the next one will.
    pub by_gateway: bool,
}

/// Why dead letters were not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is no such dead letter.
    #[error(
        "no dead letter is of the event `{0}`\nhint: `stella telemetry notify list` shows them"
    )]
    Unknown(String),
    /// The gateway does not look.
    #[error(
        "the running gateway has not taken the request in {path} within {waited:?}\nhint: it does so when it can; look again with `stella telemetry notify list`"
    )]
    NotTaken {
        /// The request.
        path: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// The outbox.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk.
    #[error("the outbox cannot be changed: {0}\nhint: the folder must belong to this user")]
    Io(#[from] io::Error),
}

/// How long a running gateway may take.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// Takes dead letters back, so that they are sent again. With a gateway running on this outbox it
/// is asked to; it blocks until that has done so.
///
/// # Errors
/// If there is no such dead letter, or it cannot be done.
pub fn retry(root: &Path, which: &Which) -> Result<Retried, RetryError> {
    let chosen = dead(root, which)?;
    if chosen == 0 {
        if let Which::Id(id) = which {
            return Err(RetryError::Unknown(id.clone()));
        }
        return Ok(Retried {
            revived: 0,
            by_gateway: false,
        });
    }
    match open(root) {
        Ok(outbox) => Ok(Retried {
            revived: outbox.inner.revive(which)?,
            by_gateway: false,
        }),
        Err(OpenError::InUse { .. }) => {
            let path = requests::leave(root, which)?;
            let mut waited = Duration::ZERO;
            while path.exists() {
                if waited >= PATIENCE {
                    return Err(RetryError::NotTaken { path, waited });
                }
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Ok(Retried {
                revived: chosen.saturating_sub(dead(root, which)?),
                by_gateway: true,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// How many dead letters are meant.
fn dead(root: &Path, which: &Which) -> io::Result<usize> {
    let dead = list(root)?.dead;
    let meant = dead.iter().filter(|dead| match which {
        Which::All => true,
        Which::Id(id) => dead.entry.event.id() == id,
    });
    Ok(meant.count())
}

/// The outbox with every target that it has folders of, and room for all.
fn open(root: &Path) -> Result<Outbox, OpenError> {
    let failed = |source| OpenError::Io {
        path: root.to_owned(),
        source,
    };
    let mut targets = Vec::new();
    for folder in [DEAD, PENDING] {
        for name in disk::names(&root.join(folder)).map_err(failed)? {
            let Some(name) = TargetName::parse(&name) else {
                continue;
            };
            if !targets.iter().any(|(known, _)| *known == name) {
                targets.push((name, Vec::new()));
            }
        }
    }
    let limits = Limits {
        max_entries: usize::MAX,
        max_bytes: u64::MAX,
        dead_letters: usize::MAX,
        remembered: usize::MAX,
        ..Limits::default()
    };
    Outbox::open(root, &targets, &limits, &Metrics::new(&Meter::new()))
}
