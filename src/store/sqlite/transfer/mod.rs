pub(super) mod backup;
pub(super) mod export;
pub(super) mod marks;
pub(super) mod merge;
pub(super) mod migrate;
pub(super) mod other_store;
