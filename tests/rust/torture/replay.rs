//! A disk whose power is cut: what the files may contain afterwards, given all operations on them up to then.
//!
//! What was synced is on the disk. Of the later operations, any part may be: none, all, the first ones, some in any
//! order, and of each write only some sectors.

use std::collections::BTreeMap;
use std::path::Path;

use fastrand::Rng;

use crate::disk::Act;

/// The number of bytes that a disk writes completely or not at all.
const SECTOR: usize = 512;

/// An operation on a file.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Open { syncs_folder: bool },
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
    Sync,
    Delete { synced: bool },
}

impl From<Act<'_>> for Deed {
    fn from(act: Act<'_>) -> Self {
        match act {
            Act::Open { syncs_folder } => Self::Open { syncs_folder },
            Act::Write { at, bytes } => {
                Self::Write { at: usize::try_from(at).unwrap(), bytes: bytes.to_vec() }
            }
            Act::Truncate(to) => Self::Truncate(usize::try_from(to).unwrap()),
            Act::Sync => Self::Sync,
            Act::Delete { synced } => Self::Delete { synced },
        }
    }
}

/// Which of the operations that were not synced are on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    Nothing,
    All,
    /// The first ones; of the last of these, only a part.
    Begun,
    /// Some: a later write may be there without an earlier one.
    Reordered,
    /// Some sectors of the writes.
    Torn,
}

impl Tail {
    pub(crate) const EVERY: [Self; 5] = [Self::Nothing, Self::All, Self::Begun, Self::Reordered, Self::Torn];
}

#[derive(Debug, Clone, Default)]
struct File {
    /// Its synced content; `None` if not even its name is synced.
    synced: Option<Vec<u8>>,
    since: Vec<Deed>,
    /// Whether its next sync also syncs its folder.
    syncs_folder: bool,
}

/// The files of one folder, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: BTreeMap<String, File>,
}

impl Disk {
    pub(crate) fn doing(&mut self, name: &str, deed: &Deed) {
        let file = self.files.entry(name.to_owned()).or_default();
        match deed {
            Deed::Open { syncs_folder } => file.syncs_folder = *syncs_folder,
            Deed::Sync => {
                file.sync();
                if std::mem::take(&mut file.syncs_folder) {
                    self.files.values_mut().for_each(File::is_gone_for_good);
                }
            }
            Deed::Delete { synced: true } => *file = File::default(),
            deed => file.since.push(deed.clone()),
        }
    }

    /// Whether the file has operations that are not synced. For the database, this means that a checkpoint is running.
    pub(crate) fn is_at_a_checkpoint(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|file| !file.since.is_empty())
    }

    /// Writes the files as they may be after a power cut now.
    pub(crate) fn cut(&self, tail: Tail, rng: &mut Rng, into: &Path) {
        for (name, file) in &self.files {
            if let Some(left) = file.left(tail, rng) {
                std::fs::write(into.join(name), left).unwrap();
            }
        }
    }
}

impl File {
    fn sync(&mut self) {
        let mut now = self.synced.take();
        for deed in std::mem::take(&mut self.since) {
            apply(&mut now, &deed);
        }
        // If the file is new, its folder is synced with it.
        self.synced = Some(now.unwrap_or_default());
    }

    /// If the file was deleted, this is now on the disk, too.
    fn is_gone_for_good(&mut self) {
        if let Some(gone) = self.since.iter().rposition(|deed| matches!(deed, Deed::Delete { .. })) {
            self.since.drain(..=gone);
            self.synced = None;
        }
    }

    fn left(&self, tail: Tail, rng: &mut Rng) -> Option<Vec<u8>> {
        let mut left = self.synced.clone();
        let mut since = &self.since[..];
        // A deleted file and a new one of the same name are two files, and one of them is there.
        if let Some(gone) = since.iter().rposition(|deed| matches!(deed, Deed::Delete { .. })) {
            if tail == Tail::All || tail != Tail::Nothing && rng.bool() {
                left = None;
                since = &since[gone + 1..];
            } else {
                since = &since[..gone];
            }
        }
        let begun = rng.usize(0..=since.len());
        for (place, deed) in since.iter().enumerate() {
            match tail {
                Tail::All => apply(&mut left, deed),
                Tail::Begun if place < begun => apply(&mut left, deed),
                Tail::Begun if place == begun => apply_torn(&mut left, deed, rng),
                Tail::Reordered if rng.bool() => apply(&mut left, deed),
                Tail::Nothing | Tail::Begun | Tail::Reordered => {}
                Tail::Torn => apply_torn(&mut left, deed, rng),
            }
        }
        left
    }
}

fn apply(file: &mut Option<Vec<u8>>, deed: &Deed) {
    match deed {
        Deed::Write { at, bytes } => put(file, *at, bytes),
        Deed::Truncate(to) => file.get_or_insert_default().truncate(*to),
        Deed::Delete { .. } => *file = None,
        Deed::Sync | Deed::Open { .. } => {}
    }
}

/// Applies only some of the sectors of a write.
fn apply_torn(file: &mut Option<Vec<u8>>, deed: &Deed, rng: &mut Rng) {
    let Deed::Write { at, bytes } = deed else {
        if rng.bool() {
            apply(file, deed);
        }
        return;
    };
    let (mut from, end) = (*at, at + bytes.len());
    while from < end {
        let to = ((from / SECTOR + 1) * SECTOR).min(end);
        if rng.bool() {
            put(file, from, &bytes[from - at..to - at]);
        }
        from = to;
    }
}

fn put(file: &mut Option<Vec<u8>>, at: usize, bytes: &[u8]) {
    let file = file.get_or_insert_default();
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}
