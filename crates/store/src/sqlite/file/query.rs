//! Short forms of queries. Each connection keeps its prepared statements.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params};

use super::fault::Fault;

/// The first value of the only row.
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

/// Executes a statement. Returns the number of rows that it has changed.
pub(crate) fn change(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}
