pub(super) mod reader;
pub(super) mod shared;
pub(super) mod worker;
pub(super) mod writer;
pub(super) mod writer_state;
