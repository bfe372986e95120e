//! Short forms of queries. Each connection keeps its prepared statements.
//!
//! A connection finds a prepared statement by its text, so values are parameters and not parts of the text.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::fault::Fault;

/// The first value of the only row.
///
/// For aggregates, which always return a row. If there is none, that is an error.
pub(crate) fn one<T: FromSql>(connection: &Connection, sql: &str, params: impl Params) -> Result<T, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

/// The first value of the only row, if there is one.
pub(crate) fn find<T: FromSql>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}

/// The first values of all rows.
pub(crate) fn all<T: FromSql, C: FromIterator<T>>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<C, Fault> {
    Ok(connection.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// What a row is read into: a tuple of its values.
pub(crate) trait FromRow: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error> {}

impl<T: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error>> FromRow for T {}

/// The only row.
pub(crate) fn row<T: FromRow>(connection: &Connection, sql: &str, params: impl Params) -> Result<T, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| T::try_from(row))?)
}

/// The only row, if there is one.
pub(crate) fn find_row<T: FromRow>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| T::try_from(row)).optional()?)
}

/// All rows.
pub(crate) fn rows<T: FromRow, C: FromIterator<T>>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<C, Fault> {
    Ok(connection
        .prepare_cached(sql)?
        .query_map(params, |row| T::try_from(row))?
        .collect::<Result<_, _>>()?)
}

/// A number that changes when another connection commits. The connection's own commits do not change it.
///
/// In a transaction, it belongs to the state of the file that the transaction sees.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Fault> {
    one(connection, "PRAGMA data_version", [])
}

/// Executes a statement. Returns the number of rows that it has changed.
pub(crate) fn change(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}
