pub(super) mod closing;
pub(super) mod interrupt;
pub(super) mod opening;
pub(super) mod registry;
