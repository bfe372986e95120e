//! The stand-in vendor.
