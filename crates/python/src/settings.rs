//! Reads an enricher's settings. `python/exactbuyer/settings/` checks their ranges and has their messages. This module
//! checks only what the core must judge: addresses, certificates, countries and time zones.
//!
//! Python passes one dictionary. Serde divides it by name between the core's `Config` and the transport's
//! `HttpSettings`; a name that belongs to neither is collected in `unknown` and refused. Defaults are those of Rust.
//! Python has its own list of them for its documentation, and a test compares the two through
//! `Engine._settings`.

use std::collections::BTreeMap;

use hashbrown::HashSet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pythonize::depythonize;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::convert::OrRaise;
use exactbuyer_core::config::Config;
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Rules;
use exactbuyer_core::identifier::reading::Reader;
use exactbuyer_http::{Endpoint, HttpSettings, check_ca_bundle, check_proxy};
use exactbuyer_store::sqlite::check_time_zone;

/// The settings of an enricher: the engine's, and the network's.
///
/// They are read once, when the enricher is made, and never change afterwards.
#[derive(Clone, Deserialize)]
pub(super) struct Settings {
    /// What the engine decides by: limits, retries, required fields, time zone.
    #[serde(flatten)]
    pub(super) config: Config,
    /// What only the transport needs.
    #[serde(flatten)]
    pub(super) network: HttpSettings,
    /// A forked copy has a limit of its own.
    ///
    /// Only then may a forked copy of an enricher send with the same `max_credits` again: the limit is counted
    /// per process.
    #[serde(default)]
    pub(super) independent_copies: bool,
    /// A two-letter country code. It is only checked here: each reader of rows is given its own.
    #[serde(default)]
    default_region: Option<String>,
    /// Names that no setting has. Never empty without an error: see [`read`].
    #[serde(flatten)]
    #[expect(clippy::zero_sized_map_values, reason = "serde flattens maps, not sets")]
    unknown: BTreeMap<String, IgnoredAny>,
}

/// Reads the settings. An unknown name is an error: a misspelt setting must not become a default. A proxy is passed by
/// itself, because it may be a `Secret`.
///
/// # Errors
/// `ValueError` for a value of the wrong type or an unknown name; `ConfigError` for one that the core refuses.
pub(super) fn read(settings: &Bound<'_, PyAny>, proxy: Option<&Bound<'_, PyAny>>) -> PyResult<Settings> {
    let py = settings.py();
    let mut settings: Settings = depythonize(settings).or_raise(py)?;
    if let Some(name) = settings.unknown.keys().next() {
        return Err(PyValueError::new_err(format!("there is no setting {name}")));
    }
    settings.network.proxy = proxy.map(|proxy| secret(proxy, str::to_owned)).transpose()?.flatten();
    settings.check().or_raise(py)?;
    Ok(settings)
}

impl Settings {
    /// Fails at the first setting that is wrong, in the order below.
    fn check(&self) -> Result<(), Error> {
        Rules::new(self.default_region.as_deref())?;
        check_time_zone(&self.config.time_zone)?;
        Endpoint::parse(&self.network.base_url)?;
        self.network.proxy.as_deref().map_or(Ok(()), check_proxy)?;
        self.network.ca_bundle.as_deref().map_or(Ok(()), check_ca_bundle)
    }
}

/// Reads a text that may be secret, without a copy of it: a string, or a Python `Secret`, which reveals its text only
/// here.
///
/// `None` if it is not a text, or contains a lone surrogate.
pub(super) fn secret<T>(value: &Bound<'_, PyAny>, read: impl FnOnce(&str) -> T) -> PyResult<Option<T>> {
    let exposed;
    let text = if value.is_instance_of::<PyString>() {
        value
    } else {
        exposed = value.call_method0("expose")?;
        &exposed
    };
    Ok(text.cast::<PyString>().ok().and_then(|text| text.to_str().ok()).map(read))
}

/// The fields that a match must have.
///
/// An empty list requires nothing: the request then leaves the parameter out.
///
/// # Errors
/// `TypeError` if it is not an iterable of strings.
pub(super) fn required_fields(value: &Bound<'_, PyAny>) -> PyResult<Box<[Box<str>]>> {
    let fields: Vec<String> = value.extract()?;
    Ok(fields.into_iter().map(String::into_boxed_str).collect())
}

/// The reader of texts.
///
/// It is cheap to make, so every list of rows gets its own. `na_values` are the caller's texts that mean "no
/// value".
pub(super) fn texts(
    py: Python<'_>,
    default_region: Option<&str>,
    na_values: Option<&Bound<'_, PyAny>>,
) -> PyResult<Reader> {
    Ok(Reader {
        rules: Rules::new(default_region).or_raise(py)?,
        na_values: na_values.map(self::na_values).transpose()?.unwrap_or_default(),
    })
}

/// The values that stand for nothing, trimmed, because values are trimmed before they are compared.
fn na_values(values: &Bound<'_, PyAny>) -> PyResult<HashSet<Box<str>>> {
    let values: Vec<String> = values.extract()?;
    Ok(values.into_iter().map(|text| text.trim().into()).collect())
}
