//! The only rooms that say pyo3: thin doors to the core. What they decide is how a Python object is
//! read and how one is built; everything else is asked of the core.

mod arrow;
mod assembly;
mod awaiting;
mod by;
mod engine;
mod entry;
mod errors;
mod ffi;
mod objects;
mod records;
mod row;
mod rows;
mod run;
mod runtime;
mod sandbox;
mod settings;
mod source;
mod store;
mod stored;
mod table;
mod waiting;

use pyo3::prelude::*;

/// The Rust core, as Python sees it.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::arrow::{ArrowInput, ArrowOutput, Batches};
    #[pymodule_export]
    use super::by::ByColumns;
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::errors::error_classes;
    #[pymodule_export]
    use super::records::{CsvPart, CsvSplitter, JsonPart, JsonSplitter, csv_lines, csv_record, json_lines};
    #[pymodule_export]
    use super::rows::Rows;
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::table::Table;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        super::source::prepare(module.py());
        super::row::prepare(module.py());
        super::objects::register(module)?;
        super::table::register(module)?;
        super::store::register(module)?;
        super::sandbox::register(module)
    }
}
