//! The only rooms that say pyo3: thin doors to the core.

mod ffi;
mod objects;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::objects::register(module)
    }
}
