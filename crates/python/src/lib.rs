//! The extension module, and the only crate that uses pyo3. It decides how Python objects are read and built; the other
//! crates do everything else.
//!
//! Where to look, by what crosses the boundary:
//!
//! | folder or file | what it turns into what |
//! |---|---|
//! | `input/` | the caller's Python objects into `Row`s of the core |
//! | `tables/` | Arrow data and text files into rows, and outcomes into record batches |
//! | `calls/` | a `Run` of the crate `dispatch` into something that a thread or a coroutine can wait for |
//! | `objects/` | a contact's bytes into dicts and strings, as `json.loads` would build them |
//! | `stores/`, `sandbox.rs` | methods of the store and of the sandbox into methods of Python classes |
//! | `settings.rs`, `convert.rs`, `errors.rs` | settings, structs and errors |
//! | `runtime.rs`, `ffi/` | threads and forks; the few calls of `CPython` that need `unsafe` |
//!
//! Three rules hold in all of these files:
//!
//! - A lock that code takes while it is attached to the interpreter must not be held while the interpreter is
//!   released, unless its comment says why that is safe. Otherwise two threads can wait for each other, or a
//!   fork can copy a lock that nobody will ever release.
//! - Everything that needs threads of this process is wrapped in `runtime::OfProcess`, so that a forked child
//!   starts its own.
//! - A wait checks for Ctrl-C at least every 50 milliseconds, and every loop over rows does so now and then.
//!
//! The signatures and their documentation for Python are in `python/exactbuyer/_core.pyi`. `stubtest` compares
//! them with the classes here.

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
    use exactbuyer_core::error::ErrorKind;
    use exactbuyer_core::identifier::{FieldType, RULES_VERSION};
    use exactbuyer_core::message::{Advice, Setting};
    use exactbuyer_core::outcome::RequestOutcome;
    use exactbuyer_core::results::Status;
    use exactbuyer_core::schedule::{LimitedBy, LogKind};
    use exactbuyer_core::service::limits::REQUIRED_FIELDS;
    use exactbuyer_sandbox::Fault;
    use exactbuyer_store::sqlite::Resolution;
    use pyo3::prelude::*;

    /// The core's lists, for the tests that compare Python's lists with them.
    ///
    /// A name here is the name of a `Literal` in the Python package, except for the last three: Python has the kinds of
    /// errors as classes, and settings and advices as words. A variant that is added to a list of the core appears
    /// here by itself, because each list is its enum's `ALL`; a test then fails until Python has it, too.
    #[pyfunction]
    #[pyo3(name = "_lists")]
    fn lists() -> BTreeMap<&'static str, Vec<&'static str>> {
        BTreeMap::from([
            ("FieldType", FieldType::ALL.map(FieldType::as_str).to_vec()),
            ("RequiredField", REQUIRED_FIELDS.to_vec()),
            ("Status", Status::ALL.map(Status::as_str).to_vec()),
            ("RequestOutcome", RequestOutcome::ALL.map(RequestOutcome::as_str).to_vec()),
            ("LimitedBy", LimitedBy::ALL.map(LimitedBy::as_str).to_vec()),
            ("LogKind", LogKind::ALL.map(LogKind::as_str).to_vec()),
            ("OnUnknown", OnUnknown::ALL.map(OnUnknown::as_str).to_vec()),
            ("Per", Per::ALL.map(Per::as_str).to_vec()),
            ("Body", BodyFormat::ALL.map(BodyFormat::as_str).to_vec()),
            ("Resolution", Resolution::ALL.map(Resolution::as_str).to_vec()),
            ("Fault", Fault::ALL.map(Fault::as_str).to_vec()),
            ("ErrorKind", ErrorKind::ALL.map(ErrorKind::as_str).to_vec()),
            ("Setting", Setting::ALL.map(Setting::as_str).to_vec()),
            ("Advice", Advice::ALL.map(Advice::as_str).to_vec()),
        ])
    }

    /// Runs once per interpreter, at the first import. It also does now what pyo3 would otherwise do at the
    /// first call: pyo3 makes interned strings and imported classes on first use, and releases the interpreter
    /// while it holds a lock for that. A thread that forks at that moment would leave the child with a lock
    /// that stays locked.
    ///
    /// # Errors
    /// If Python has no memory left, or its standard library lacks a module that the core needs.
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
