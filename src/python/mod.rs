//! The only rooms that say pyo3: thin doors to the core.
