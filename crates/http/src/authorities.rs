//! The trusted certificate authorities: those of the operating system and of the setting
//! `ca_bundle`, or those that environment variables name.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::{Message, Setting};

/// OpenSSL's variables, which the libraries of most languages read: a file and folders. They are
/// used together.
const OPENSSL: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A file or a folder each. `requests` reads these variables in this order, and users of Python
/// have set them for it.
const REQUESTS: [&str; 2] = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// Checks that the file contains certificates that can be trusted.
///
/// # Errors
/// [`ErrorKind::Config`], which names `ca_bundle` and the path.
pub fn check_ca_bundle(path: &Path) -> Result<(), Error> {
    setting(path).map(drop)
}

/// The verifier of server certificates. The setting has priority over the environment. Of the
/// variables, the first one that is set counts.
pub(super) fn verifier(
    ca_bundle: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let extra = match ca_bundle {
        Some(path) => setting(path)?,
        None => match environment(|name| std::env::var_os(name))? {
            Some(roots) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
                return Ok(verifier.map_err(|_| config("TLS cannot be set up on this machine"))?);
            }
            None => Vec::new(),
        },
    };
    let verifier = Verifier::new_with_extra_roots(extra, provider).map_err(|_| {
        // The platform's library reads an empty variable as a path, and then does
        // not find the certificates of the system.
        let hidden = std::env::var_os("SSL_CERT_FILE").is_some_and(|value| value.is_empty());
        config(if hidden {
            message!(
                "the environment variable SSL_CERT_FILE is set to an empty text, which hides the \
                 certificates of this system: unset it, or give a PEM file as {}",
                Setting::CaBundle
            )
        } else {
            message!("{} is needed: this system has no trusted certificates of its own", Setting::CaBundle)
        })
    })?;
    Ok(Arc::new(verifier))
}

/// The certificates of `ca_bundle`. All must be readable: if one is damaged, the file was perhaps
/// copied badly.
fn setting(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let named = quoted(path.as_os_str());
    let wrong = |what: &str| config(message!("{} names {}, which {}", Setting::CaBundle, &named, &what));
    let pem = fs::read(path).map_err(|error| wrong(&unreadable(&error)))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("is not a PEM file of certificates"))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate; it must be a PEM file"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|_| wrong("holds a certificate that cannot be read"))?;
    }
    Ok(certificates)
}

/// The authorities that the environment names in place of the system's. `None` if it names none.
///
/// # Errors
/// [`ErrorKind::Config`], which names the variable and the path, if no usable certificate is there.
fn environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<RootCertStore>, Error> {
    let set = |name: &'static str| Some((name, variable(name).filter(|value| !value.is_empty())?));
    let mut named: Vec<_> = OPENSSL.into_iter().filter_map(set).collect();
    if named.is_empty() {
        named.extend(REQUESTS.into_iter().find_map(set));
    }
    let mut known = Known::default();
    for (name, value) in &named {
        // A file that is named must be readable. Some of several folders may be missing or empty,
        // as with OpenSSL.
        let places: Vec<_> = match *name {
            "SSL_CERT_DIR" => std::env::split_paths(value).collect(),
            _ => vec![value.into()],
        };
        let before = known.read;
        let failures: Vec<_> = places.iter().filter_map(|place| known.add(place).err()).collect();
        if known.read > before || (*name == "SSL_CERT_DIR" && before > 0) {
            continue;
        }
        let what = failures.first().map_or("holds no certificate; PEM files are read".to_owned(), unreadable);
        return Err(config(message!(
            "the environment variable {} names {}, which {}: correct it or unset it, or give a PEM file \
             as {}",
            &name,
            &quoted(value),
            &what,
            Setting::CaBundle
        )));
    }
    Ok(Some(known.roots).filter(|roots| !roots.is_empty()))
}

/// The certificates read so far. A folder of the system contains each certificate several times.
///
/// Empty at first; the default has no authority at all.
struct Known {
    roots: RootCertStore,
    seen: HashSet<CertificateDer<'static>>,
    /// How many certificates could be used, including repetitions.
    read: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self { roots: RootCertStore::empty(), seen: HashSet::new(), read: 0 }
    }
}

impl Known {
    /// Adds the certificates of a file, or of the files in a folder. Unreadable certificates are
    /// skipped, as by other programs of the system.
    fn add(&mut self, place: &Path) -> std::io::Result<()> {
        let in_folder = place.is_dir();
        let files = if in_folder {
            let entries = fs::read_dir(place)?.filter_map(Result::ok).map(|entry| entry.path());
            entries.filter(|path| path.is_file()).collect()
        } else {
            vec![place.to_owned()]
        };
        for file in files {
            match fs::read(file) {
                Ok(pem) => CertificateDer::pem_slice_iter(&pem).flatten().for_each(|found| self.put(found)),
                Err(_) if in_folder => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A certificate that rustls cannot use is skipped.
    fn put(&mut self, certificate: CertificateDer<'static>) {
        if self.seen.contains(&certificate) {
            self.read += 1;
        } else if self.roots.add(certificate.clone()).is_ok() {
            self.read += 1;
            self.seen.insert(certificate);
        }
    }
}

/// A path in the form in which a one-line message shows it.
fn quoted(path: &OsStr) -> String {
    format!("{:?}", path.to_string_lossy())
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        kind => format!("cannot be read: {kind}"),
    }
}

fn config(message: impl Into<Message>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("exactbuyer-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn pem() -> String {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn ca_bundles() {
        let folder = folder("ca");
        let file = folder.join("bundle.pem");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "not PEM", junk, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            fs::write(&file, text).unwrap();
            let error = check_ca_bundle(&file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.to_string().starts_with("ca_bundle names ") && error.to_string().contains("bundle.pem")
            );
        }
        fs::write(&file, pem()).unwrap();
        check_ca_bundle(&file).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(check_ca_bundle(&file).unwrap_err().to_string().contains("does not exist"));
    }

    #[test]
    fn the_environment_is_read_in_the_order_of_openssl_requests_and_curl() {
        let folder = folder("ca-environment");
        let [one, three, empty] = ["one.pem", "three.pem", "empty.pem"].map(|name| folder.join(name));
        let certificates = folder.join("certificates");
        let (nothing, bare) = (folder.join("nothing"), folder.join("bare"));
        fs::create_dir_all(&certificates).unwrap();
        fs::create_dir_all(&bare).unwrap();
        fs::write(&one, pem()).unwrap();
        fs::write(&three, pem() + &pem() + &pem()).unwrap();
        fs::write(&empty, "no certificate").unwrap();
        fs::write(certificates.join("1.pem"), pem()).unwrap();
        fs::write(certificates.join("2.pem"), pem()).unwrap();
        fs::write(certificates.join("README"), "no certificate").unwrap();

        let roots = |variables: &[(&str, &Path)]| {
            let variable = |name: &str| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value.as_os_str().to_owned())
            };
            environment(variable).map(|roots| roots.map_or(0, |roots| roots.len()))
        };
        let none = Path::new("");
        assert_eq!(roots(&[]), Ok(0));
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            assert_eq!(roots(&[(name, none)]), Ok(0), "{name}");
            assert_eq!(roots(&[(name, &certificates)]), Ok(2), "{name}");
            for bad in [&nothing, &empty, &bare] {
                let error = roots(&[(name, bad)]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config);
                let place = format!("{bad:?}");
                assert!(error.to_string().contains(name) && error.to_string().contains(&place), "{error}");
            }
        }
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            assert_eq!(roots(&[(name, &three)]), Ok(3), "{name}");
        }
        // Later variables are not read.
        assert_eq!(roots(&[("SSL_CERT_FILE", &one), ("REQUESTS_CA_BUNDLE", &nothing)]), Ok(1));
        assert_eq!(roots(&[("SSL_CERT_DIR", &certificates), ("CURL_CA_BUNDLE", &nothing)]), Ok(2));
        assert_eq!(roots(&[("REQUESTS_CA_BUNDLE", &three), ("CURL_CA_BUNDLE", &nothing)]), Ok(3));
        assert_eq!(roots(&[("SSL_CERT_FILE", none), ("CURL_CA_BUNDLE", &one)]), Ok(1));
        // OpenSSL reads both of its variables. A folder may be missing, a file may not.
        assert_eq!(roots(&[("SSL_CERT_FILE", &one), ("SSL_CERT_DIR", &certificates)]), Ok(3));
        assert_eq!(roots(&[("SSL_CERT_FILE", &three), ("SSL_CERT_DIR", &folder)]), Ok(4), "each once");
        assert_eq!(roots(&[("SSL_CERT_FILE", &one), ("SSL_CERT_DIR", &bare)]), Ok(1));
        let error = roots(&[("SSL_CERT_FILE", &nothing), ("SSL_CERT_DIR", &certificates)]).unwrap_err();
        assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
        let both = std::env::join_paths([&nothing, &certificates]).unwrap();
        assert_eq!(roots(&[("SSL_CERT_DIR", Path::new(&both))]), Ok(2));
        fs::remove_dir_all(&folder).unwrap();
    }
}
