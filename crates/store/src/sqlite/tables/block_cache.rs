//! Blocks that were read recently. Lookups that are neighbours in a list are neighbours in a block.

use rusqlite::Connection;

use super::super::file::Fault;
use super::block::{DecodedBlock, block_start};
use super::block_table;

/// The number of blocks that are kept.
const MOST_BLOCKS: usize = 8;

/// Decoded blocks by number, the latest last.
#[derive(Debug, Default)]
pub(crate) struct BlockCache(Vec<(i64, DecodedBlock)>);

impl BlockCache {
    /// Reads a lookup of a request with `read`, which gets a block and the lookup's position in it. If `read` returns
    /// `None` for a cached block, because it is outdated, the block is read from the file again.
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
