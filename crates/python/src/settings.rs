//! Reads an enricher's settings. `python/exactbuyer/settings/` checks their ranges and has their messages. This module
//! checks only what the core must judge: addresses, certificates, countries and time zones.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hashbrown::HashSet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pythonize::depythonize;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::convert::OrRaise;
use exactbuyer_core::config::{Config, seconds};
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Rules;
use exactbuyer_core::identifier::reading::Reader;
use exactbuyer_core::service::limits;
use exactbuyer_http::{Endpoint, check_ca_bundle, check_proxy};
use exactbuyer_store::sqlite::check_time_zone;

/// The settings of an enricher: the engine's, and the network's.
#[derive(Clone, Deserialize)]
pub(super) struct Settings {
    #[serde(flatten)]
    pub(super) config: Config,
    #[serde(flatten)]
    pub(super) network: Network,
    /// A forked copy has a limit of its own.
    #[serde(default)]
    pub(super) independent_copies: bool,
    #[serde(default)]
    default_region: Option<String>,
    #[serde(flatten)]
    #[expect(clippy::zero_sized_map_values, reason = "serde flattens maps, not sets")]
    unknown: BTreeMap<String, IgnoredAny>,
}

/// The address of the service, and how it is reached.
#[derive(Clone, Deserialize)]
#[serde(default)]
pub(super) struct Network {
    pub(super) base_url: String,
    #[serde(rename = "timeout_s", deserialize_with = "seconds")]
    pub(super) timeout: Duration,
    #[serde(rename = "connect_timeout_s", deserialize_with = "seconds")]
    pub(super) connect_timeout: Duration,
    #[serde(skip)]
    pub(super) proxy: Option<String>,
    pub(super) ca_bundle: Option<PathBuf>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            base_url: limits::BASE_URL.to_owned(),
            timeout: Duration::from_mins(5),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            ca_bundle: None,
        }
    }
}

/// Reads the settings. An unknown name is an error: a misspelt setting must not become a default. A proxy is passed by
/// itself, because it may be a `Secret`.
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
    fn check(&mut self) -> Result<(), Error> {
        self.config.rules = Rules::new(self.default_region.as_deref())?;
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
pub(super) fn required_fields(value: &Bound<'_, PyAny>) -> PyResult<Box<[Box<str>]>> {
    let fields: Vec<String> = value.extract()?;
    Ok(fields.into_iter().map(String::into_boxed_str).collect())
}

/// The reader of texts.
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
