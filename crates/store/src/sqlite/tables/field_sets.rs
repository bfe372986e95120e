//! Sets of required fields. The file has each set once, and refers to it by number.
//!
//! There are few sets in a store, and every answer names one. So they are read once and kept.

use std::sync::Mutex;

use hashbrown::HashMap;
use rusqlite::Connection;

use exactbuyer_core::store::Required;

use super::super::file::{Fault, query};

/// The sets of the file that were read, by number.
///
/// Shared by the threads of an opening. The file never changes a set that was committed.
#[derive(Debug, Default)]
pub(crate) struct FieldSets(Mutex<HashMap<i64, Required>>);

impl FieldSets {
    pub(crate) fn get(&self, connection: &Connection, number: i64) -> Result<Required, Fault> {
        // Unlocked while the file is read: all threads of the store share the sets.
        if let Some(fields) = crate::lock(&self.0).get(&number) {
            return Ok(fields.clone());
        }
        let text: String = query::one(connection, "SELECT fields FROM required WHERE id = ?1", [number])?;
        let fields: Vec<Box<str>> =
            serde_json::from_str(&text).map_err(|_| Fault::Damaged("a set of required fields is damaged"))?;
        let fields = Required::from_iter(fields);
        crate::lock(&self.0).insert(number, fields.clone());
        Ok(fields)
    }

    /// Forgets the sets: a transaction that failed may have added some that are not in the file.
    pub(crate) fn clear(&self) {
        crate::lock(&self.0).clear();
    }
}

/// The number of this set, which is added if it is new. To be called in a transaction.
///
/// If the transaction fails, the number is void: see [`FieldSets::clear`].
pub(crate) fn number_of(connection: &Connection, fields: &Required) -> Result<i64, Fault> {
    if let Some(number) = known_number(connection, fields)? {
        return Ok(number);
    }
    query::change(connection, "INSERT INTO required (fields) VALUES (?1)", [text_of(fields)])?;
    Ok(connection.last_insert_rowid())
}

/// The number of this set, if the file has it.
pub(crate) fn known_number(connection: &Connection, fields: &Required) -> Result<Option<i64>, Fault> {
    query::find(connection, "SELECT id FROM required WHERE fields = ?1", [text_of(fields)])
}

fn text_of(fields: &Required) -> String {
    serde_json::Value::from(fields.iter().map(|field| &**field).collect::<Vec<_>>()).to_string()
}

/// Whether the second set contains the first.
pub(crate) fn within(inner: &[Box<str>], outer: &[Box<str>]) -> bool {
    inner.iter().all(|field| outer.contains(field))
}
