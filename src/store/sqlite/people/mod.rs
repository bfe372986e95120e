pub(super) mod copies;
pub(super) mod find;
pub(super) mod purge;
