//! Marks: random numbers that an enricher writes into the store before the enricher is copied. A copy of the enricher that
//! finds its mark uses the same file, and not an earlier copy of it: on a machine made from the same image, or a backup
//! that was copied over the store.

use rusqlite::{Connection, params};

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
                query::find(&reader.connection, "SELECT value FROM meta WHERE name = ?1", [name(number)])?;
            Ok(found.is_some_and(|found| found == token))
        })
    }
}

/// Numbers of one store grow, and both copies of a store continue with the same ones; only the random bytes differ.
fn add(connection: &Connection) -> Result<(i64, [u8; 16]), Fault> {
    let last: Option<i64> = query::one(
        connection,
        "SELECT CAST(substr(max(name), 6) AS INTEGER) FROM meta WHERE name >= 'mark ' AND name < 'mark!'",
        [],
    )?;
    let number = last.unwrap_or(0) + 1;
    // SQLite seeds its generator from the system's.
    let token: [u8; 16] = query::one(connection, "SELECT randomblob(16)", [])?;
    query::change(connection, "INSERT INTO meta VALUES (?1, ?2)", params![name(number), token])?;
    query::change(connection, "DELETE FROM meta WHERE name = ?1", [name(number - MOST_MARKS)])?;
    Ok((number, token))
}

/// The name in the table `meta`. Names sort in the order of their numbers.
fn name(number: i64) -> String {
    format!("mark {number:019}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_oldest_marks_are_deleted_and_each_is_another() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID").unwrap();
        connection.execute_batch("INSERT INTO meta VALUES ('paused x', 1), ('name', 2)").unwrap();
        let first = add(&connection).unwrap();
        let second = add(&connection).unwrap();
        assert_eq!((first.0, second.0), (1, 2));
        assert_ne!(first.1, second.1);
        for _ in 2..=MOST_MARKS {
            add(&connection).unwrap();
        }
        let marks = "SELECT count(*), min(name) FROM meta WHERE name LIKE 'mark %'";
        let (marks, oldest): (i64, String) = query::row(&connection, marks, []).unwrap();
        assert_eq!((marks, oldest), (MOST_MARKS, name(2)));
    }
}
