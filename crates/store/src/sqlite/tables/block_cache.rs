//! Blocks that were read recently. Lookups that are neighbours in a list are neighbours in a block.
//!
//! A list that is looked up again has the order of the first run, so that one decoded block serves some tens of its
//! rows. A cached block can be outdated in two ways. A purge has removed a person from it: then the purge clears the
//! cache that it uses, and no row of the index leads to the place any more. Or a late answer has replaced a doubt:
//! then the caller sees that the block does not fit the index, and returns `None`.

use rusqlite::Connection;

use super::super::file::Fault;
use super::block::{DecodedBlock, block_start};
use super::block_table;

/// The number of blocks that are kept.
const MOST_BLOCKS: usize = 8;

/// Decoded blocks by number, the latest last.
///
/// Belongs to one thread and its connection. The writer uses a new one for each claim.
#[derive(Debug, Default)]
pub(crate) struct BlockCache(Vec<(i64, DecodedBlock)>);

impl BlockCache {
    /// Reads a lookup of a request with `read`, which gets a block and the lookup's position in it. If `read` returns
    /// `None` for a cached block, because it is outdated, the block is read from the file again.
    ///
    /// # Errors
    /// If there is no such block, or `read` returns `None` for the block in the file too: then index and blocks do
    /// not fit.
    pub(crate) fn read<T>(
        &mut self,
        connection: &Connection,
        (request, place): (i64, i64),
        read: impl Fn(&DecodedBlock, usize) -> Option<T>,
    ) -> Result<T, Fault> {
        let missing = || Fault::Damaged("an answer is missing in it");
        let read = |(id, block): &(i64, DecodedBlock)| {
            let (of, first) = block_start(*id);
            let at = usize::try_from(place.checked_sub(first)?).ok()?;
            if of == request { read(block, at) } else { None }
        };
        if let Some(found) = self.0.iter().rev().find_map(read) {
            return Ok(found);
        }
        let (id, packed) = block_table::containing(connection, request, place)?.ok_or_else(missing)?;
        let block = (id, DecodedBlock::decode(&packed)?);
        let found = read(&block).ok_or_else(missing)?;
        if self.0.len() >= MOST_BLOCKS {
            self.0.remove(0);
        }
        self.0.push(block);
        Ok(found)
    }

    /// Forgets all blocks. To be called after a purge.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
