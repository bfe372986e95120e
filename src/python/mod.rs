//! The only rooms that say pyo3: thin doors to the core.

mod sandbox;

use pyo3::prelude::*;

/// The Rust core, as Python sees it.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::sandbox::register(module)
    }
}
