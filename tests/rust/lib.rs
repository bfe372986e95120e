//! Tests and benchmarks that need several crates of the workspace. This library is empty.
