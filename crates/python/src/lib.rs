//! The only rooms that say pyo3: thin doors to the core. What they decide is how a Python object is
//! read and how one is built; everything else is asked of the core.

mod calls;
mod errors;
mod ffi;
mod input;
mod objects;
mod runtime;
mod sandbox;
mod settings;
mod stores;
mod tables;

use pyo3::prelude::*;

/// The Rust core, as Python sees it.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::calls::engine::Engine;
    #[pymodule_export]
    use super::calls::run::Run;
    #[pymodule_export]
    use super::errors::{error_classes, message_terms};
    #[pymodule_export]
    use super::input::rows::Rows;
    #[pymodule_export]
    use super::tables::arrow::{ArrowInput, ArrowOutput, Batches};
    #[pymodule_export]
    use super::tables::by::ByColumns;
    #[pymodule_export]
    use super::tables::records::{
        CsvPart, CsvSplitter, JsonPart, JsonSplitter, csv_lines, csv_record, json_lines,
    };
    #[pymodule_export]
    use super::tables::table::Table;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        super::input::source::prepare(module.py());
        super::input::row::prepare(module.py());
        super::objects::register(module)?;
        super::tables::table::register(module)?;
        super::stores::store::register(module)?;
        super::sandbox::register(module)
    }
}
