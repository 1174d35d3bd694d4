//! Writing one segment: blocks while it is active, index and trailer when it is sealed.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IoSlice, Read, Seek, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::dir::Dir;
use crate::error::Trouble;
use crate::format::{
    BlockHeader, Index, MAX_BLOCK_HEADER, SEGMENT_HEADER_BYTES, Salt, SegmentHeader, Trailer,
};
use crate::seam::Env;

/// So much of a segment stays in the operating system's memory, for readers that are a little
/// behind.
const CACHED: u64 = 8 << 20;
/// How much is given back at once: little, as the next commit waits for it.
const UNCACHE_AT_ONCE: u64 = 1 << 20;

/// A block on its way to the disk.
pub(crate) struct OutBlock {
    /// Complete but for the offset, which writing sets.
    pub header: BlockHeader,
    /// The uncompressed payload.
    pub raw: Bytes,
    /// What is written, if it is not `raw`.
    pub compressed: Option<Vec<u8>>,
}

impl OutBlock {
    fn stored(&self) -> &[u8] {
        self.compressed.as_deref().unwrap_or(&self.raw)
    }
}

/// Why blocks were not written.
pub(crate) struct WriteFault {
    pub trouble: Trouble,
    /// Whether the segment may be written on. Not after a failed `fdatasync`: the kernel may have
    /// thrown the dirty pages away and would report success the next time.
    pub usable: bool,
}

/// A segment that is being written. Only what `len` covers is committed.
pub(crate) struct ActiveSegment {
    pub id: u64,
    pub path: PathBuf,
    pub salt: Salt,
    /// The committed length of the file.
    pub len: u64,
    pub index: Index,
    file: File,
    /// Up to here the operating system was told to keep no copy in memory.
    uncached: u64,
    /// Over the first `len` bytes. `None` for a segment that was found at start: it is read again
    /// when it is sealed.
    sha: Option<Sha256>,
}

/// The headers of a batch as they were written, to be hashed after the waiters are answered.
pub(crate) struct Written {
    headers: Vec<u8>,
    lengths: Vec<usize>,
}

impl ActiveSegment {
    /// Makes a new segment file that is durable, with nothing in it but its header.
    pub(crate) fn create(
        env: &Env,
        dir: &Dir,
        id: u64,
        now: u64,
        sync: bool,
    ) -> Result<Self, Trouble> {
        let made = Self::make(env, dir.segment(id), id, now, sync)?;
        if sync && let Err(error) = env.sync_dir(&dir.segments()) {
            // Nothing refers to it yet. If it stays, the next start removes it.
            let _ = env.remove(&made.path);
            return Err(Trouble::new("sync", &made.path, &error));
        }
        Ok(made)
    }

    /// Makes the segment to come under a name that no reader takes for a segment's, so that the
    /// commit that begins it has less to wait for.
    pub(crate) fn prepare(
        env: &Env,
        dir: &Dir,
        id: u64,
        now: u64,
        sync: bool,
    ) -> Result<Self, Trouble> {
        // One that another process has left.
        let _ = env.remove(&dir.spare());
        Self::make(env, dir.spare(), id, now, sync)
    }

    /// Gives a prepared segment its name, durably. Where that fails, the file is gone.
    pub(crate) fn begin(mut self, env: &Env, dir: &Dir, sync: bool) -> Result<Self, Trouble> {
        let path = dir.segment(self.id);
        let named = env
            .rename(&self.path, &path)
            .map_err(|e| Trouble::new("name the segment", &path, &e));
        if let Err(trouble) = named {
            self.discard(env);
            return Err(trouble);
        }
        self.path = path;
        if sync && let Err(error) = env.sync_dir(&dir.segments()) {
            let trouble = Trouble::new("sync", &self.path, &error);
            self.discard(env);
            return Err(trouble);
        }
        Ok(self)
    }

    /// Removes a segment that nothing was written to.
    pub(crate) fn discard(self, env: &Env) {
        debug_assert!(self.is_empty());
        let _ = env.remove(&self.path);
    }

    fn make(env: &Env, path: PathBuf, id: u64, now: u64, sync: bool) -> Result<Self, Trouble> {
        let trouble = |what, error: io::Error| Trouble::new(what, &path, &error);
        let file = env
            .create(&path)
            .map_err(|e| trouble("make the segment", e))?;
        let header = SegmentHeader {
            id,
            created_unix_nano: now,
            salt: random_salt(id),
        };
        let bytes = header.encode();
        let written = env
            .write_at(&file, &path, &mut [IoSlice::new(&bytes)], 0)
            .map_err(|e| trouble("write", e))
            .and_then(|()| match sync {
                true => env.sync(&file, &path).map_err(|e| trouble("sync", e)),
                false => Ok(()),
            });
        if let Err(fault) = written {
            let _ = env.remove(&path);
            return Err(fault);
        }
        let mut sha = Sha256::new();
        sha.update(bytes);
        Ok(ActiveSegment {
            id,
            path,
            salt: header.salt,
            len: SEGMENT_HEADER_BYTES,
            index: Index::default(),
            file,
            uncached: 0,
            sha: Some(sha),
        })
    }

    /// Takes up a segment that was found at start and has no index yet.
    pub(crate) fn resume(
        file: File,
        path: PathBuf,
        header: SegmentHeader,
        len: u64,
        index: Index,
    ) -> Self {
        ActiveSegment {
            id: header.id,
            path,
            salt: header.salt,
            len,
            index,
            file,
            uncached: 0,
            sha: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == SEGMENT_HEADER_BYTES
    }

    /// Writes blocks after the committed ones and makes them durable. Either all are committed or
    /// none is. ACK-DURABLE: `len` moves only after the sync.
    pub(crate) fn write(
        &mut self,
        env: &Env,
        blocks: &mut [OutBlock],
        sync: bool,
    ) -> Result<Written, WriteFault> {
        let written = self.encode_headers(blocks);
        let mut rest = written.headers.as_slice();
        let mut slices = Vec::with_capacity(blocks.len() * 2);
        for (block, &length) in blocks.iter().zip(&written.lengths) {
            let (header, after) = rest.split_at(length);
            rest = after;
            slices.push(IoSlice::new(header));
            slices.push(IoSlice::new(block.stored()));
        }
        let total: usize = slices.iter().map(|s| s.len()).sum();
        if let Err(error) = env.write_at(&self.file, &self.path, &mut slices, self.len) {
            let undone = env.truncate(&self.file, &self.path, self.len);
            return Err(WriteFault {
                trouble: Trouble::new("write", &self.path, &error),
                usable: undone.is_ok(),
            });
        }
        if sync && let Err(error) = env.sync(&self.file, &self.path) {
            let _ = env.truncate(&self.file, &self.path, self.len);
            return Err(WriteFault {
                trouble: Trouble::new("sync", &self.path, &error),
                usable: false,
            });
        }
        self.len += total as u64;
        for block in blocks.iter() {
            self.index.add(&block.header);
        }
        Ok(written)
    }

    /// The log is written once and mostly read from our own cache, so its pages are given back: they
    /// would push out what others need, and each new one costs more than the copy into it.
    fn uncache(&mut self, upto: u64) {
        let length = std::num::NonZeroU64::new(upto.saturating_sub(self.uncached));
        // Only advice: nothing depends on it.
        let _ = rustix::fs::fadvise(
            &self.file,
            self.uncached,
            length,
            rustix::fs::Advice::DontNeed,
        );
        self.uncached = upto;
    }

    fn encode_headers(&self, blocks: &mut [OutBlock]) -> Written {
        let mut headers = Vec::with_capacity(blocks.len() * MAX_BLOCK_HEADER);
        let mut lengths = Vec::with_capacity(blocks.len());
        let mut offset = self.len;
        for block in blocks {
            block.header.offset = offset;
            offset += block.header.total_bytes();
            let start = headers.len();
            block.header.encode(&self.salt, &mut headers);
            lengths.push(headers.len() - start);
        }
        Written { headers, lengths }
    }

    /// Hashes what was written, and lets go of pages: what nobody who waits has to wait for.
    pub(crate) fn absorb(&mut self, written: &Written, blocks: &[OutBlock]) {
        if self.len - self.uncached >= CACHED + UNCACHE_AT_ONCE {
            self.uncache(self.len - CACHED);
        }
        let Some(sha) = &mut self.sha else { return };
        let mut rest = written.headers.as_slice();
        for (block, &length) in blocks.iter().zip(&written.lengths) {
            let (header, after) = rest.split_at(length);
            rest = after;
            sha.update(header);
            sha.update(block.stored());
        }
    }

    /// Appends index and trailer, durably. Gives the length of the whole file. May be tried again
    /// after an error.
    pub(crate) fn seal(&mut self, env: &Env, sync: bool) -> Result<u64, Trouble> {
        let trouble = |what, error: io::Error| Trouble::new(what, &self.path, &error);
        // A failed write may have left bytes behind the committed ones.
        env.truncate(&self.file, &self.path, self.len)
            .map_err(|e| trouble("cut", e))?;
        let mut sha = match &self.sha {
            Some(sha) => sha.clone(),
            None => hash_file(&mut self.file, self.len).map_err(|e| trouble("read", e))?,
        };
        let index = self.index.encode(&self.salt);
        sha.update(&index);
        let trailer = Trailer {
            sha256: sha.finalize().into(),
            index_offset: self.len,
            index_bytes: index.len() as u64,
        }
        .encode();
        let mut slices = [IoSlice::new(&index), IoSlice::new(&trailer)];
        env.write_at(&self.file, &self.path, &mut slices, self.len)
            .map_err(|e| trouble("write the index of", e))?;
        if sync {
            env.sync(&self.file, &self.path)
                .map_err(|e| trouble("sync", e))?;
        }
        let whole = self.len + (index.len() + trailer.len()) as u64;
        self.uncache(whole);
        Ok(whole)
    }
}

/// The digest of a file's first `len` bytes, to be carried on.
pub(crate) fn hash_file(file: &mut File, len: u64) -> io::Result<Sha256> {
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    file.seek(SeekFrom::Start(0))?;
    let mut rest = file.take(len);
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => sha.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match rest.limit() {
        0 => Ok(sha),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Twelve bytes that a sender cannot guess: SipHash under keys from the operating system.
fn random_salt(id: u64) -> Salt {
    let mut salt = [0; 12];
    for (part, chunk) in salt.chunks_mut(8).enumerate() {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(id);
        hasher.write_usize(part);
        chunk.copy_from_slice(&hasher.finish().to_le_bytes()[..chunk.len()]);
    }
    salt
}
