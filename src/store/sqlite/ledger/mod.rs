pub(super) mod doubts;
pub(super) mod estimate;
pub(super) mod journal;
