pub(super) mod unix;
