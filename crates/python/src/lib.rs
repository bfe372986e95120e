//! The extension module, and the only crate that uses pyo3. It decides how Python objects are read and built; the other
//! crates do everything else.

mod calls;
mod convert;
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
///
/// It asks a free-threaded interpreter to keep its lock (`gil_used`). The core has no data that the lock protects, but
/// `ffi::collector` relies on it, and the Python half of the package is not tested without it.
#[pymodule(gil_used = true)]
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

    use std::collections::BTreeMap;

    use exactbuyer_core::config::{BodyFormat, OnUnknown, Per};
    use exactbuyer_core::identifier::{FieldType, RULES_VERSION};
    use exactbuyer_core::outcome::RequestOutcome;
    use exactbuyer_core::results::Status;
    use exactbuyer_core::schedule::LimitedBy;
    use exactbuyer_core::service::limits::REQUIRED_FIELDS;
    use exactbuyer_sandbox::Fault;
    use pyo3::prelude::*;

    /// The core's lists, for the test that compares Python's `Literal`s with them.
    #[pyfunction]
    #[pyo3(name = "_lists")]
    fn lists() -> BTreeMap<&'static str, Vec<&'static str>> {
        BTreeMap::from([
            ("FieldType", FieldType::ALL.map(FieldType::as_str).to_vec()),
            ("RequiredField", REQUIRED_FIELDS.to_vec()),
            ("Status", Status::ALL.map(Status::as_str).to_vec()),
            ("RequestOutcome", RequestOutcome::ALL.map(RequestOutcome::as_str).to_vec()),
            ("LimitedBy", LimitedBy::ALL.map(LimitedBy::as_str).to_vec()),
            ("OnUnknown", OnUnknown::ALL.map(OnUnknown::as_str).to_vec()),
            ("Per", Per::ALL.map(Per::as_str).to_vec()),
            ("Body", BodyFormat::ALL.map(BodyFormat::as_str).to_vec()),
            ("Fault", Fault::ALL.map(Fault::as_str).to_vec()),
        ])
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("RULES_VERSION", RULES_VERSION)?;
        super::input::source::prepare(module.py());
        super::input::row::prepare(module.py());
        super::objects::register(module)?;
        super::tables::table::register(module)?;
        super::stores::store::register(module)?;
        super::sandbox::register(module)
    }
}
