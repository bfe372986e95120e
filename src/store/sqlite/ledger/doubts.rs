//! What is in doubt, and what somebody who has looked at the vendor's usage page decides about it.

use rusqlite::Connection;

use crate::error::Error;
use crate::identifier::Identifier;

use super::super::SqliteStore;
use super::super::file::fault::Fault;
use super::super::file::schema::state;
use super::super::tables::block::{Sheet, block_start};
use super::super::tables::block_table;
use super::super::threads::shared::{Fields, Shared};

/// A lookup that may have been charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Who was asked for.
    pub identifier: Identifier,
    /// The required fields.
    pub required_fields: Fields,
    /// The number of the request in the journal.
    pub request: i64,
    /// When it went out, in milliseconds since 1970.
    pub sent_ms: i64,
    /// Credits that this lookup may have cost without anybody knowing: 0 where the request's known
    /// credits include it.
    pub credits: u64,
    /// What happened.
    pub reason: String,
}

/// What is to become of everything that is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It may be asked again. What it may have cost stays on the books.
    Resend,
    /// It is left alone: `not_sent` from now on, until [`SqliteStore::allow`].
    Drop,
}

/// What was resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Lookups.
    pub lookups: u64,
    /// Credits that they may have cost, and that still count as spent.
    pub credits: u64,
}

impl SqliteStore {
    /// Everything that is in doubt, the oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn unknown(&self) -> Result<Vec<Doubt>, Error> {
        self.ask(|reading, shared| reading.at_once(|connection, _, _| doubts(connection, shared)))
    }

    /// Decides what becomes of everything that is in doubt. What is under way right now is not.
    ///
    /// # Errors
    /// Where the store cannot be written: then nothing is resolved.
    pub fn resolve_unknown(&self, resolution: Resolution) -> Result<Resolved, Error> {
        let to = match resolution {
            Resolution::Resend => state::ASKED_AGAIN,
            Resolution::Drop => state::DROPPED,
        };
        self.write(move |connection, ledger| {
            let resolved = connection.query_row(
                "SELECT count(*), coalesce(sum(in_doubt > 0), 0) FROM answer JOIN request ON request.id = answer.request
                 WHERE state IN (3, 6)",
                [],
                |row| {
                    let (lookups, credits): (i64, i64) = (row.get(0)?, row.get(1)?);
                    Ok(Resolved { lookups: lookups.unsigned_abs(), credits: credits.unsigned_abs() })
                },
            )?;
            connection.execute("UPDATE answer SET state = ?1 WHERE state IN (3, 6)", [to])?;
            ledger.notify = true;
            Ok(resolved)
        })
    }
}

fn doubts(connection: &Connection, shared: &Shared) -> Result<Vec<Doubt>, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT answer.request, place, answer.required, sent_ms, in_doubt FROM answer
         JOIN request ON request.id = answer.request WHERE state IN (3, 6) ORDER BY answer.request, place",
    )?;
    let mut rows = ask.query([])?;
    let (mut doubts, mut block): (Vec<Doubt>, Option<(i64, Sheet)>) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let (request, place): (i64, i64) = (row.get(0)?, row.get(1)?);
        let in_doubt: i64 = row.get(4)?;
        let entry = entry_at(connection, &mut block, request, place)?;
        let Some(identifier) = entry.identifier else { continue };
        doubts.push(Doubt {
            identifier,
            required_fields: shared.fields(connection, row.get(2)?)?,
            request,
            sent_ms: row.get(3)?,
            credits: u64::from(in_doubt > 0),
            reason: String::from_utf8_lossy(&entry.body).into_owned(),
        });
    }
    Ok(doubts)
}

/// What a block says of a lookup; the block read last is kept in `block`.
pub(in super::super) fn entry_at(
    connection: &Connection,
    block: &mut Option<(i64, Sheet)>,
    request: i64,
    place: i64,
) -> Result<super::super::tables::block::Entry, Fault> {
    let damaged = || Fault::damaged("an answer is missing in it");
    let within = |block: &Option<(i64, Sheet)>| {
        let (id, sheet) = block.as_ref()?;
        let (of, first) = block_start(*id);
        let at = usize::try_from(place.checked_sub(first)?).ok()?;
        if of == request { sheet.entry_at(at) } else { None }
    };
    if let Some(entry) = within(block) {
        return Ok(entry);
    }
    let (id, packed) = block_table::with(connection, request, place)?.ok_or_else(damaged)?;
    *block = Some((id, Sheet::read(&packed)?));
    within(block).ok_or_else(damaged)
}
