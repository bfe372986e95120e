//! From an enricher's settings to the core's: units and words, read as they are. Ranges, and what a
//! person is told about them, are in `python/exactbuyer/settings/`; only what takes the core to
//! judge (addresses, certificates, countries, time zones) is checked here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hashbrown::HashSet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use crate::errors;
use exactbuyer_core::config::{BodyFormat, Config, OnUnknown, Per};
use exactbuyer_core::identifier::Rules;
use exactbuyer_core::identifier::reading::Reader;
use exactbuyer_core::service::limits;
use exactbuyer_http::{Endpoint, check_ca_bundle, check_proxy};
use exactbuyer_store::sqlite::check_time_zone;

/// The settings of an enricher: the engine's, and the network's.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) network: Network,
    /// A forked copy has a ceiling of its own.
    pub(super) independent_copies: bool,
}

/// Where the service is, and the way there.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) base_url: String,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
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

/// Reads the settings. A name that is none is an error: a misspelt one must not pass for a default.
pub(super) fn read(settings: &Bound<'_, PyAny>) -> PyResult<Settings> {
    let mapping = settings.cast::<PyMapping>()?;
    let mut config = Config::default();
    let mut network = Network::default();
    let mut independent_copies = false;
    for item in mapping.items()?.iter() {
        let (name, value) = item.extract::<(String, Bound<'_, PyAny>)>()?;
        if name == "independent_copies" {
            independent_copies = value.extract()?;
            continue;
        }
        apply(&name, &value, &mut config, &mut network)?;
    }
    Ok(Settings { config, network, independent_copies })
}

fn apply(name: &str, value: &Bound<'_, PyAny>, config: &mut Config, network: &mut Network) -> PyResult<()> {
    let told = |error| errors::exception(value.py(), &error);
    match name {
        "required_fields" => config.required_fields = required_fields(value)?,
        "max_credits" => config.max_credits = value.extract()?,
        "per" => config.per = word(name, value, Per::from_name)?,
        "time_zone" => {
            config.time_zone = value.extract::<String>()?.into();
            check_time_zone(&config.time_zone).map_err(told)?;
        }
        "max_age_s" => config.max_age = age(value)?,
        "miss_max_age_s" => config.miss_max_age = age(value)?,
        "tags" => {
            let tags: BTreeMap<String, String> = value.extract()?;
            config.tags = tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        }
        "max_in_doubt" => config.max_in_doubt = value.extract()?,
        "on_unknown" => config.on_unknown = word(name, value, OnUnknown::from_name)?,
        "requests_per_minute" => config.requests_per_minute = value.extract()?,
        "max_concurrency" => config.max_concurrency = value.extract()?,
        "chunk_size" => config.chunk_size = value.extract()?,
        "max_retries" => config.max_retries = value.extract()?,
        "timeout_s" => network.timeout = seconds(value)?,
        "connect_timeout_s" => network.connect_timeout = seconds(value)?,
        "grace_s" => config.grace = seconds(value)?,
        "body" => config.body = word(name, value, BodyFormat::from_name)?,
        "default_region" => {
            config.rules = Rules::new(value.extract::<Option<String>>()?.as_deref()).map_err(told)?;
        }
        "base_url" => {
            network.base_url = value.extract()?;
            Endpoint::parse(&network.base_url).map_err(told)?;
        }
        "proxy" => {
            network.proxy = if value.is_none() { None } else { secret(value)? };
            network.proxy.as_deref().map_or(Ok(()), check_proxy).map_err(told)?;
        }
        "ca_bundle" => {
            network.ca_bundle = value.extract()?;
            network.ca_bundle.as_deref().map_or(Ok(()), check_ca_bundle).map_err(told)?;
        }
        _ => return Err(PyValueError::new_err(format!("there is no setting {name}"))),
    }
    Ok(())
}

/// A text that may be secret: a string, or a Python `Secret`, which reveals its text only here.
///
/// `None` if it is not a text, or contains a lone surrogate.
pub(super) fn secret(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let exposed;
    let text = if value.is_instance_of::<PyString>() {
        value
    } else {
        exposed = value.call_method0("expose")?;
        &exposed
    };
    Ok(text.extract().ok())
}

/// Which fields a match must have.
pub(super) fn required_fields(value: &Bound<'_, PyAny>) -> PyResult<Box<[Box<str>]>> {
    let fields: Vec<String> = value.extract()?;
    Ok(fields.into_iter().map(String::into_boxed_str).collect())
}

/// How texts are read.
pub(super) fn texts(
    py: Python<'_>,
    default_region: Option<&str>,
    na_values: Option<&Bound<'_, PyAny>>,
) -> PyResult<Reader> {
    Ok(Reader {
        rules: Rules::new(default_region).map_err(|error| errors::exception(py, &error))?,
        na_values: na_values.map(self::na_values).transpose()?.unwrap_or_default(),
    })
}

/// What stands for nothing, stripped as values are before they are compared.
fn na_values(values: &Bound<'_, PyAny>) -> PyResult<HashSet<Box<str>>> {
    let values: Vec<String> = values.extract()?;
    Ok(values.into_iter().map(|text| text.trim().into()).collect())
}

fn age(value: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if value.is_none() { Ok(None) } else { seconds(value).map(Some) }
}

fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value.extract()?).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn word<T>(name: &str, value: &Bound<'_, PyAny>, from_name: impl Fn(&str) -> Option<T>) -> PyResult<T> {
    let given: String = value.extract()?;
    from_name(&given).ok_or_else(|| PyValueError::new_err(format!("{name} cannot be {given}")))
}
