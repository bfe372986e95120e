pub(super) mod block;
pub(super) mod block_table;
pub(super) mod tail;
