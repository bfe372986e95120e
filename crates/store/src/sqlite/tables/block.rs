//! The encoding of lookups and their outcomes: some tens of them in one compressed block. A contact's JSON is in it
//! byte for byte.
//!
//! ```text
//!  block  = zstd frame, with the length of its content
//!  content = lookup, lookup, …                      in the order of their places, without gaps
//!  lookup = type: 1 byte   state: 1 byte   canonical form: length, bytes   body: length, bytes
//!  length = LEB128
//! ```
//!
//! A block belongs to one request. Its number in the table is `request × 2^20 + place of its first lookup`, so the
//! blocks of a request are neighbours, and the place of any lookup follows from its position. Purging a lookup leaves
//! an empty entry, because the places of the others must stay.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

use exactbuyer_core::identifier::{FieldType, Identifier};

use super::super::file::Fault;
use super::super::key::{Key, Secret};
use super::state;

/// Bytes of a block before compression: enough to find what contacts have in common, and few enough to read one contact
/// without reading a thousand.
const BLOCK_BYTES: usize = 48 << 10;

/// The most bytes of a decoded block. A damaged length must not fill the memory.
const LARGEST: usize = 1 << 30;

/// The level of compression. Higher levels take twice the time and save a twentieth of the bytes. Released wheels have
/// no code for them (`tests/platforms/build_wheel.sh`).
const LEVEL: i32 = 1;

/// The number of a block has room for this many lookups of a request. The service takes a thousandth of that; numbers
/// of requests fit up to 2^43.
pub(super) const PLACES: i64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredLookup {
    /// `None` if it was purged. Its body is empty then.
    pub(crate) identifier: Option<Identifier>,
    /// One of the numbers in [`state`], as it was when the block was written. The index may have a later one: a
    /// user's decision about a doubt changes only the index.
    pub(crate) state: u8,
    /// The contact's JSON text, or the reason. Empty for a miss. A slice of the decoded block, which stays in memory
    /// as long as any such slice: copy what outlives the block.
    pub(crate) body: Bytes,
}

impl StoredLookup {
    /// The key of its identifier; `None` if it was purged.
    pub(crate) fn key(&self, secret: &Secret) -> Option<Key> {
        self.identifier.as_ref().map(|identifier| secret.key(identifier))
    }

    /// Removes the identifier and the outcome. The place of the lookup stays.
    pub(crate) fn purge(&mut self) {
        (self.identifier, self.body) = (None, Bytes::new());
    }
}

/// The number of the block that begins with this lookup of a request.
pub(super) const fn block_id(request: i64, first: i64) -> i64 {
    request * PLACES + first
}

/// The request of this block, and the place of its first lookup.
pub(crate) const fn block_start(id: i64) -> (i64, i64) {
    (id / PLACES, id % PLACES)
}

/// Packs lookups into blocks, each with the place of its first lookup.
///
/// A block is closed by the first lookup after it has reached its size, so it may be larger by one contact. No
/// lookups give no blocks.
pub(crate) fn pack<'a>(
    entries: impl Iterator<Item = (&'a Identifier, u8, &'a [u8])>,
) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
    let (mut blocks, mut first, mut count, mut raw) = (Vec::new(), 0, 0_i64, Vec::new());
    for (identifier, state, body) in entries {
        if raw.len() >= BLOCK_BYTES {
            blocks.push((first, compress(&raw)?));
            first += count;
            count = 0;
            raw.clear();
        }
        write(&mut raw, Some(identifier), state, body);
        count += 1;
    }
    if count > 0 {
        blocks.push((first, compress(&raw)?));
    }
    Ok(blocks)
}

/// Packs lookups into one block.
///
/// To rewrite a block: it must contain all lookups that it had, in their order.
pub(crate) fn pack_one(entries: &[StoredLookup]) -> Result<Vec<u8>, Fault> {
    let mut raw = Vec::new();
    for entry in entries {
        write(&mut raw, entry.identifier.as_ref(), entry.state, &entry.body);
    }
    compress(&raw)
}

/// Packs the lookups of an intent.
///
/// One block of whatever size, because an intent is read only as a whole. States are 0 and bodies empty; nobody reads
/// them.
pub(crate) fn pack_intent<'a>(lookups: impl Iterator<Item = &'a Identifier>) -> Result<Vec<u8>, Fault> {
    let mut raw = Vec::new();
    for lookup in lookups {
        write(&mut raw, Some(lookup), 0, &[]);
    }
    compress(&raw)
}

thread_local! {
    // Creating one takes longer than using it. Each thread that packs or unpacks has its own, so that none waits for
    // another.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses some bytes.
pub(crate) fn compress(raw: &[u8]) -> Result<Vec<u8>, Fault> {
    let failed = |_| Fault::of("there is no memory to compress an answer with: close some programs");
    COMPRESSOR.with_borrow_mut(|known| {
        let compressor = match known {
            Some(known) => known,
            None => known.insert(Compressor::new(LEVEL).map_err(failed)?),
        };
        compressor.compress(raw).map_err(failed)
    })
}

/// Decompresses what [`compress`] has returned.
///
/// # Errors
/// If it is damaged. The length in the frame is checked before any memory is reserved.
pub(crate) fn decompress(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let length = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= LARGEST);
    let length = length.ok_or_else(damaged)?;
    DECOMPRESSOR.with_borrow_mut(|known| {
        let decompressor = match known {
            Some(known) => known,
            None => known.insert(Decompressor::new().map_err(|error| Fault::system("the store", &error))?),
        };
        decompressor.decompress(packed, length).map_err(|_| damaged())
    })
}

/// A block, decompressed and cut into its lookups.
///
/// Owns its bytes. Positions in it count from its first lookup: subtract the block's first place from a lookup's
/// place.
#[derive(Debug, Clone)]
pub(crate) struct DecodedBlock {
    raw: Bytes,
    places: Vec<Place>,
}

/// Where a lookup lies in `raw`. Both ranges were checked against its length.
#[derive(Debug, Clone)]
struct Place {
    /// `None` if the lookup was purged.
    field_type: Option<FieldType>,
    state: u8,
    canonical: Range<usize>,
    body: Range<usize>,
}

impl DecodedBlock {
    /// Decodes a block.
    ///
    /// One pass, which copies no lookup.
    ///
    /// # Errors
    /// If it is damaged, or contains a field type that this version does not know.
    pub(crate) fn decode(packed: &[u8]) -> Result<Self, Fault> {
        let raw = Bytes::from(decompress(packed)?);
        let (mut places, mut at) = (Vec::new(), 0);
        while at < raw.len() {
            places.push(read(&raw, &mut at).ok_or_else(damaged)?);
        }
        Ok(Self { raw, places })
    }

    /// Whether the lookup at this position has a contact.
    pub(crate) fn is_hit(&self, place: usize) -> bool {
        self.places.get(place).is_some_and(|place| place.state == state::HIT)
    }

    /// The contact or reason of the lookup at this position.
    pub(crate) fn body(&self, place: usize) -> Option<&[u8]> {
        self.places.get(place).and_then(|place| self.raw.get(place.body.clone()))
    }

    pub(crate) fn lookup_at(&self, place: usize) -> Option<StoredLookup> {
        self.places.get(place).map(|place| self.lookup(place))
    }

    pub(crate) fn lookups(&self) -> Vec<StoredLookup> {
        self.places.iter().map(|place| self.lookup(place)).collect()
    }

    /// The keys of all lookups that were not purged.
    pub(crate) fn keys(&self, secret: &Secret) -> Vec<Key> {
        self.lookups().iter().filter_map(|lookup| lookup.key(secret)).collect()
    }

    fn lookup(&self, place: &Place) -> StoredLookup {
        let canonical = self.raw.get(place.canonical.clone()).unwrap_or_default();
        let canonical = String::from_utf8_lossy(canonical);
        StoredLookup {
            identifier: place.field_type.map(|field_type| Identifier::from_canonical(field_type, canonical)),
            state: place.state,
            body: self.raw.slice(place.body.clone()),
        }
    }
}

fn damaged() -> Fault {
    Fault::Damaged("a part of it is damaged")
}

/// Stands for the field type of a purged lookup.
///
/// No field type has this number; a test compares them.
const PURGED: u8 = 0xff;

fn write(raw: &mut Vec<u8>, identifier: Option<&Identifier>, state: u8, body: &[u8]) {
    let (field_type, canonical) = match identifier {
        Some(identifier) => (identifier.field_type().number(), identifier.canonical()),
        None => (PURGED, ""),
    };
    raw.extend([field_type, state]);
    write_length(raw, canonical.len());
    raw.extend_from_slice(canonical.as_bytes());
    write_length(raw, body.len());
    raw.extend_from_slice(body);
}

/// Reads the lookup at `at`, and moves `at` past it. `None` if it does not end within the block.
fn read(raw: &[u8], at: &mut usize) -> Option<Place> {
    let (number, state) = (*raw.get(*at)?, *raw.get(*at + 1)?);
    let field_type = FieldType::from_number(number);
    *at += 2;
    let (canonical, body) = (read_range(raw, at)?, read_range(raw, at)?);
    (field_type.is_some() || number == PURGED).then_some(Place { field_type, state, canonical, body })
}

/// Writes seven bits in each byte, the lowest bits first (LEB128).
fn write_length(raw: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // just the low seven bits
        raw.push(length as u8 | 0x80);
        length >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // below 0x80
    raw.push(length as u8);
}

/// Reads a length and skips as many bytes. Returns where they are; `None` if they are not all there.
fn read_range(raw: &[u8], at: &mut usize) -> Option<Range<usize>> {
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = *raw.get(*at)?;
        *at += 1;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let end = at.checked_add(length).filter(|end| *end <= raw.len())?;
    Some(std::mem::replace(at, end)..end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            texts in prop::collection::vec(
                (prop::sample::select(&FieldType::ALL[..]), ".{0,40}", prop::collection::vec(any::<u8>(), 0..20_000)),
                0..40,
            ),
        ) {
            let entries: Vec<_> = texts
                .iter()
                .map(|(field_type, canonical, body)| (Identifier::from_canonical(*field_type, &**canonical), body))
                .collect();
            let blocks = pack(entries.iter().map(|(identifier, body)| (identifier, 1, &body[..]))).unwrap();
            let mut seen = 0;
            for (first, block) in blocks {
                prop_assert_eq!(first, i64::try_from(seen).unwrap());
                for entry in DecodedBlock::decode(&block).unwrap().lookups() {
                    prop_assert_eq!(entry.identifier.as_ref(), Some(&entries[seen].0));
                    prop_assert_eq!(&entry.body[..], &entries[seen].1[..]);
                    seen += 1;
                }
            }
            prop_assert_eq!(seen, entries.len());
        }

        /// Small bytes are the numbers of field types, and lengths that may fit.
        #[test]
        fn damage_is_an_error_and_never_more(
            raw in prop::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..60),
            texts in prop::collection::vec((".{0,9}", prop::collection::vec(any::<u8>(), 0..300)), 1..9),
            flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        ) {
            assert_inside(&compress(&raw).unwrap());
            prop_assert!(DecodedBlock::decode(&raw).is_err(), "these are no frame");
            let entries: Vec<_> = texts
                .into_iter()
                .map(|(canonical, body)| StoredLookup {
                    identifier: Some(Identifier::from_canonical(FieldType::Email, canonical)),
                    state: 1,
                    body: body.into(),
                })
                .collect();
            let flipped = |mut bytes: Vec<u8>| {
                for bit in &flips {
                    let bit = bit.index(8 * bytes.len());
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                bytes
            };
            let packed = pack_one(&entries).unwrap();
            assert_inside(&compress(&flipped(decompress(&packed).unwrap())).unwrap());
            assert_inside(&flipped(packed));
        }
    }

    /// If a block can be decoded, its lookups lie in it one after the other and fill it.
    fn assert_inside(packed: &[u8]) {
        let Ok(block) = DecodedBlock::decode(packed) else { return };
        let mut end = 0;
        for (number, place) in block.places.iter().enumerate() {
            assert!(end + 2 < place.canonical.start && place.canonical.end < place.body.start);
            end = place.body.end;
            assert_eq!(block.body(number).unwrap().len(), place.body.len());
        }
        assert_eq!(end, block.raw.len());
        assert_eq!(block.lookups().len(), block.places.len());
    }

    #[test]
    fn every_field_type_comes_out_as_it_went_in() {
        for field_type in FieldType::ALL {
            let identifier = Identifier::from_canonical(field_type, "a");
            let (_, block) = pack([(&identifier, state::MISS, &b""[..])].into_iter()).unwrap().remove(0);
            assert_eq!(DecodedBlock::decode(&block).unwrap().lookups()[0].identifier, Some(identifier));
        }
        assert_eq!(FieldType::from_number(PURGED), None);
    }

    #[test]
    fn a_purged_lookup_keeps_its_place() {
        let entry = StoredLookup { identifier: None, state: 1, body: Bytes::new() };
        let block = pack_one(std::slice::from_ref(&entry)).unwrap();
        assert_eq!(DecodedBlock::decode(&block).unwrap().lookups(), [entry]);
    }
}
