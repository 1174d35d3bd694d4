//! What a read-back alone cannot tell: limiters, and decisions that are older than it.
//!
//! The bytes, all numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `stsp` |
//! | 2 | version, 1 |
//! | 2 | 0 |
//! | 4 | CRC32C of everything after it |
//! | 8, 8, 8 | fingerprint of the configuration, epoch, its length in nanoseconds |
//! | 8, 8 | where to read from: segment and offset |
//! | 4 | how many tenants; for each 1 byte of length, its name, 2 bytes: how many limiters; for each 1 byte 0 (bucket), 8 and 8 its rate and burst, 16 its debt, 8 its time, or 1 (shares), 8 its second, 2 how many, 8 each |
//! | 4 | how many decisions; for each 4 bytes: the tenant's place in the list, 16 the trace id, 2 the decision |

use ident::TenantId;
use journal::Position;

use crate::decision::Decision;
use crate::limiter::{Limiter, Rate};
use crate::plan::Plan;

const MAGIC: &[u8; 4] = b"stsp";
const VERSION: u16 = 1;
/// Magic, version, zero, checksum.
const HEAD: usize = 12;

/// A sampler's checkpoint: small, versioned, with a checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) fingerprint: u64,
    /// Everything is exact from the beginning of this epoch on.
    pub(crate) epoch: u64,
    pub(crate) remember: u64,
    pub(crate) read_from: Position,
    /// As they were when the epoch began.
    pub(crate) limiters: Vec<(TenantId, Box<[Limiter]>)>,
    /// Of traces with spans in the epoch that were decided before it.
    pub(crate) carried: Vec<Carried>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub tenant: TenantId,
    pub trace_id: [u8; 16],
    pub decision: Decision,
}

/// Why bytes are no checkpoint. Without one a sampler can only read back: see `docs/sampling.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A newer program wrote it.
    #[error(
        "a sampler's checkpoint has version {0}, which is newer than this program's\nhint: run the newer program, or remove the checkpoint"
    )]
    TooNew(u16),
    /// Its checksum or its form is wrong.
    #[error("a sampler's checkpoint is damaged\nhint: remove it; limiters then begin anew")]
    Damaged,
}

impl Checkpoint {
    /// Where a sampler that is made of it must begin to observe. What is before need not be kept.
    pub fn read_from(&self) -> Position {
        self.read_from
    }

    /// Blocks that were appended at this time or later can be cut.
    pub fn exact_from_unix_nano(&self) -> u64 {
        self.epoch.saturating_mul(self.remember)
    }

    pub(crate) fn is_of(&self, plan: &Plan) -> bool {
        self.fingerprint == plan.fingerprint
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        for number in [
            self.fingerprint,
            self.epoch,
            self.remember,
            self.read_from.segment,
            self.read_from.offset,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let mut tenants: Vec<(&TenantId, &[Limiter])> = self
            .limiters
            .iter()
            .map(|(tenant, limiters)| (tenant, &**limiters))
            .collect();
        for carried in &self.carried {
            // SAME-BYTES needs no order here: numbers follow the log.
            if !tenants.iter().any(|(tenant, _)| **tenant == carried.tenant) {
                tenants.push((&carried.tenant, &[]));
            }
        }
        out.extend_from_slice(&(tenants.len() as u32).to_le_bytes());
        for (tenant, limiters) in &tenants {
            let name = tenant.as_str().as_bytes();
            out.push(name.len() as u8);
            out.extend_from_slice(name);
            out.extend_from_slice(&(limiters.len() as u16).to_le_bytes());
            limiters.iter().for_each(|limiter| put(&mut out, limiter));
        }
        out.extend_from_slice(&(self.carried.len() as u32).to_le_bytes());
        for carried in &self.carried {
            let at = tenants.iter().position(|(t, _)| **t == carried.tenant);
            out.extend_from_slice(&(at.unwrap_or(0) as u32).to_le_bytes());
            out.extend_from_slice(&carried.trace_id);
            out.extend_from_slice(&carried.decision.code().to_le_bytes());
        }
        let sum = crc32c::crc32c(&out[HEAD..]);
        out[HEAD - 4..HEAD].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// If it is damaged, or too new.
    pub fn decode(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let mut head = Reader(bytes);
        let version = head.version().ok_or(CheckpointError::Damaged)?;
        if version != VERSION {
            return Err(CheckpointError::TooNew(version));
        }
        head.body().ok_or(CheckpointError::Damaged)
    }
}

fn put(out: &mut Vec<u8>, limiter: &Limiter) {
    match limiter {
        Limiter::Bucket { rate, debt, last } => {
            out.push(0);
            out.extend_from_slice(&rate.per_second.to_le_bytes());
            out.extend_from_slice(&rate.burst.to_le_bytes());
            out.extend_from_slice(&debt.to_le_bytes());
            out.extend_from_slice(&last.to_le_bytes());
        }
        Limiter::Shares { second, used } => {
            out.push(1);
            out.extend_from_slice(&second.to_le_bytes());
            out.extend_from_slice(&(used.len() as u16).to_le_bytes());
            used.iter()
                .for_each(|used| out.extend_from_slice(&used.to_le_bytes()));
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn version(&mut self) -> Option<u16> {
        let magic = self.take::<4>()?;
        (magic == *MAGIC).then(|| self.u16()).flatten()
    }

    fn body(&mut self) -> Option<Checkpoint> {
        self.u16()?;
        let sum = self.u32()?;
        if crc32c::crc32c(self.0) != sum {
            return None;
        }
        let (fingerprint, epoch, remember) = (self.u64()?, self.u64()?, self.u64()?);
        let read_from = Position {
            segment: self.u64()?,
            offset: self.u64()?,
        };
        let mut limiters = Vec::new();
        for _ in 0..self.u32()? {
            let length = usize::from(self.take::<1>()?[0]);
            let (name, rest) = self.0.split_at_checked(length)?;
            self.0 = rest;
            let tenant: TenantId = std::str::from_utf8(name).ok()?.parse().ok()?;
            let count = self.u16()?;
            let its: Option<Box<[Limiter]>> = (0..count).map(|_| self.limiter()).collect();
            limiters.push((tenant, its?));
        }
        let mut carried = Vec::new();
        for _ in 0..self.u32()? {
            let at = self.u32()? as usize;
            carried.push(Carried {
                tenant: limiters.get(at)?.0.clone(),
                trace_id: self.take()?,
                decision: Decision::from_code(self.u16()?),
            });
        }
        limiters.retain(|(_, its)| !its.is_empty());
        self.0.is_empty().then_some(Checkpoint {
            fingerprint,
            epoch,
            remember,
            read_from,
            limiters,
            carried,
        })
    }

    fn limiter(&mut self) -> Option<Limiter> {
        Some(match self.take::<1>()? {
            [0] => Limiter::Bucket {
                rate: Rate {
                    per_second: self.u64()?,
                    burst: self.u64()?,
                },
                debt: u128::from_le_bytes(self.take()?),
                last: self.u64()?,
            },
            [1] => Limiter::Shares {
                second: self.u64()?,
                used: {
                    let count = self.u16()?;
                    let used: Option<_> = (0..count).map(|_| self.u64()).collect();
                    used?
                },
            },
            _ => return None,
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
