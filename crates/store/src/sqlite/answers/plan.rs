//! What a plan asks about lookups.

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::store::{Availability, Terms};

use super::super::clock::now_ms;
use super::super::process::{RunState, SqliteStore};
use super::lookups::{self, LookupQuery};

impl SqliteStore {
    /// How these lookups stand for a run on these terms that would begin now, without contacts and reasons. Reads only
    /// the index.
    ///
    /// `refresh` and the ages apply as for a run. The answer is as of one state of the file; a later run may find
    /// another.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn peek(
        &self,
        terms: &Terms,
        required: &[Box<str>],
        lookups: &[&Identifier],
    ) -> Result<Vec<Availability>, Error> {
        let opening = self.opening()?;
        let keys: Vec<_> = lookups.iter().map(|lookup| opening.shared.secret().key(lookup)).collect();
        let (run, fields) = (RunState::new(terms.clone(), now_ms()), required.iter().cloned().collect());
        self.ask(move |reader, shared| {
            let query = LookupQuery::of(shared, &run, &fields, &keys)?;
            reader.in_transaction(|connection, _, tail| {
                Ok(lookups::without_bodies(&lookups::find(connection, shared, tail, &query)?))
            })
        })
    }
}
