//! Keyed hashes of identifiers, for the index and for purged people. Without the store's secret, nobody can find out whose
//! hash it is by hashing guesses.
//!
//! A hash replaces the identifier everywhere but in blocks and intents, from which a purge removes it. After a purge
//! the hash is all that is left of a person.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher128};
use std::hash::Hasher;

use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::secret::ApiKey;

/// An identifier's keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key([u8; Self::BYTES]);

impl Key {
    /// Bytes of a hash. Nothing else distinguishes identifiers in the index, so that a miss can be read from the index alone.
    /// The chance that two of a thousand million identifiers have the same 96 bits is one in 10¹¹.
    pub(crate) const BYTES: usize = 12;

    /// The bytes, as they are in the file and in the tail. Their order is the order of the index.
    ///
    /// Sorting keys before a statement is repeated with each of them makes the reads and writes go through the pages
    /// of the index once, from left to right.
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `None` if there are not exactly [`BYTES`](Self::BYTES) of them.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }
}

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

/// A blob of another length is an error: the file is damaged.
impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_blob()?.try_into().map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// The secret of a store: a random number that is drawn when the file is created. Copies have it too; it is stored nowhere
/// else.
///
/// Two stores have the same secret only if one is a copy of the other, or both are copies of a third. So a
/// merge of copies can take over purges.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    /// For identifiers.
    lookups: [u8; 16],
    /// For the fingerprints of API keys, so that a fingerprint says nothing about an identifier.
    keys: [u8; 16],
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// The secret with these 32 bytes; `None` if their number is wrong.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let (lookups, keys) = bytes.split_at_checked(16)?;
        Some(Self { lookups: lookups.try_into().ok()?, keys: keys.try_into().ok()? })
    }

    /// An identifier's hash.
    ///
    /// The field type is hashed with the canonical form, so the same text as an e-mail address and as a profile has
    /// two keys.
    pub(crate) fn key(&self, identifier: &Identifier) -> Key {
        self.key_of(identifier.field_type(), &[identifier.canonical()])
    }

    /// The hash of a canonical form that is given in parts, without concatenating them.
    pub(crate) fn key_of(&self, field_type: FieldType, parts: &[&str]) -> Key {
        let mut hasher = SipHasher128::new_with_key(&self.lookups);
        hasher.write(&[field_type.number()]);
        for part in parts {
            hasher.write(part.as_bytes());
        }
        let hash = hasher.finish128().as_bytes();
        let mut key = [0; Key::BYTES];
        key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Key(key)
    }

    /// The fingerprint of an API key in the journal.
    ///
    /// It is not the key itself, so a reader of the store cannot use the account. Another store has another
    /// fingerprint.
    pub(crate) fn fingerprint(&self, key: &ApiKey) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.keys);
        hasher.write(key.expose().as_bytes());
        hasher.finish()
    }
}
