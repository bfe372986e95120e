//! Marks: random numbers that an enricher writes into the store before the enricher is copied. A copy of the enricher that
//! finds its mark uses the same file, and not an earlier copy of it: on a machine made from the same image, or a backup
//! that was copied over the store.

use rusqlite::Connection;

use exactbuyer_core::error::Error;

use super::super::file::{Fault, query};
use super::super::process::SqliteStore;

/// The most marks that are kept. For each further one, the oldest is deleted.
const MOST_MARKS: i64 = 10_000;

impl SqliteStore {
    /// Writes a new mark. Returns its number and the random bytes.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn add_mark(&self) -> Result<(i64, [u8; 16]), Error> {
        self.write(|connection, _| add(connection))
    }

    /// Whether the store has this mark.
    ///
    /// `token` is what [`SqliteStore::add_mark`] has returned with this number. A mark that was deleted because it
    /// was old is not found.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn has_mark(&self, number: i64, token: Vec<u8>) -> Result<bool, Error> {
        self.ask(move |reader, _| {
            let found: Option<Vec<u8>> =
                query::find(&reader.connection, "SELECT token FROM mark WHERE id = ?1", [number])?;
            Ok(found.is_some_and(|found| found == token))
        })
    }
}

/// Numbers of one store grow, and both copies of a store continue with the same ones; only the random bytes differ.
/// SQLite seeds its generator from the system's.
fn add(connection: &Connection) -> Result<(i64, [u8; 16]), Fault> {
    let mark: (i64, [u8; 16]) =
        query::row(connection, "INSERT INTO mark (token) VALUES (randomblob(16)) RETURNING id, token", [])?;
    query::change(connection, "DELETE FROM mark WHERE id = ?1", [mark.0 - MOST_MARKS])?;
    Ok(mark)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_oldest_marks_are_deleted_and_each_is_another() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE mark (id INTEGER PRIMARY KEY, token BLOB NOT NULL)").unwrap();
        let first = add(&connection).unwrap();
        let second = add(&connection).unwrap();
        assert_eq!((first.0, second.0), (1, 2));
        assert_ne!(first.1, second.1);
        for _ in 2..=MOST_MARKS {
            add(&connection).unwrap();
        }
        let marks: (i64, i64) = query::row(&connection, "SELECT count(*), min(id) FROM mark", []).unwrap();
        assert_eq!(marks, (MOST_MARKS, 2));
    }
}
