pub(in super::super) mod descriptors;
pub(in super::super) mod locks;
pub(in super::super) mod system_calls;
