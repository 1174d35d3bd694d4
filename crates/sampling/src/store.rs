//! What must outlive the process beside the decisions: the checkpoint and the overrides. Each is
//! one small file that is replaced as a whole.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use journal::Position;
use sampler::{Checkpoint, Override, Scope};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// The folder of a process's sampling.
#[derive(Clone, Debug)]
pub(crate) struct Store(PathBuf);

/// An override as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub id: String,
    pub number: u8,
    pub scope: Scope,
    /// When it came into force.
    pub from_unix_nano: u64,
    /// When it ended.
    pub to_unix_nano: Option<u64>,
    /// What is read again: from here to `from_unix_nano`.
    pub lookback_from_unix_nano: u64,
    pub lookback: Lookback,
    /// The look back's first round, if it has one.
    #[serde(default)]
    pub first: Option<First>,
    pub kept_before_spans: u64,
    pub kept_during_spans: u64,
}

/// How far a look back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lookback {
    /// Blocks from here on are read again.
    Deciding { start: Position },
    /// All is decided; shippers have still to read from here on.
    Shipping { start: Position },
    /// There is nothing to do.
    Done,
}

/// The first round of a look back: spans that are themselves in scope, in blocks that are decided
/// already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct First {
    /// The first block.
    pub start: Position,
    /// The place after the last one.
    pub end: Position,
    /// Every destination has it.
    pub shipped: bool,
}

impl Stored {
    /// Whether nothing needs what the first round has decided any more.
    pub(crate) fn first_is_over(&self) -> bool {
        let decided = !matches!(self.lookback, Lookback::Deciding { .. });
        decided && self.first.is_none_or(|first| first.shipped)
    }

    /// Whether nothing of the look back is left to be done.
    pub(crate) fn is_looked_back(&self) -> bool {
        self.lookback == Lookback::Done && self.first_is_over()
    }

    pub(crate) fn as_override(&self) -> Override {
        Override {
            number: self.number,
            scope: self.scope.clone(),
            from_unix_nano: self.from_unix_nano,
            to_unix_nano: self.to_unix_nano.unwrap_or(u64::MAX),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct OverridesFile {
    version: u32,
    overrides: Vec<Stored>,
}

impl Store {
    pub(crate) fn new(dir: &Path) -> Self {
        Store(dir.to_owned())
    }

    pub(crate) fn decisions(&self, name: &str) -> PathBuf {
        self.0.join("decisions").join(name)
    }

    /// The checkpoint, if there is one of use. Without it, decisions after a restart may differ in
    /// what rate limits let pass.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        let bytes = read(&self.0.join("checkpoint")).ok().flatten()?;
        match Checkpoint::decode(&bytes) {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                tracing::error!(%error, "the sampler goes on without its checkpoint");
                None
            }
        }
    }

    pub(crate) fn put_checkpoint(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        durable::replace(&self.0.join("checkpoint"), &checkpoint.encode())
    }

    /// The overrides that were in force.
    ///
    /// # Errors
    /// If they cannot be read: to go on without them would let go what an incident must keep.
    pub(crate) fn overrides(&self) -> io::Result<Vec<Stored>> {
        let Some(bytes) = read(&self.0.join("overrides.json"))? else {
            return Ok(Vec::new());
        };
        let file: OverridesFile = serde_json::from_slice(&bytes)?;
        if file.version != VERSION {
            let message = format!("its version is {}, which is newer", file.version);
            return Err(io::Error::other(message));
        }
        Ok(file.overrides)
    }

    pub(crate) fn put_overrides(&self, overrides: &[Stored]) -> io::Result<()> {
        let file = OverridesFile {
            version: VERSION,
            overrides: overrides.to_vec(),
        };
        let mut text = serde_json::to_vec(&file)?;
        text.push(b'\n');
        durable::replace(&self.0.join("overrides.json"), &text)
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
