pub(super) mod claim;
pub(super) mod engine;
pub(super) mod lookups;
pub(super) mod settle;
