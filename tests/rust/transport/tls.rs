//! TLS: whom it trusts, and what a server gets that it does not trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exactbuyer_core::service::transport::{Failure, NotSent, TlsFailure, Transport};
use exactbuyer_http::HttpSettings;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, reply};
use crate::{connect, request, settings};

pub(crate) struct Authority {
    pub(crate) bundle: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    acceptor: TlsAcceptor,
}

/// An authority made for this run, a server certificate of its for this machine's names, and a file
/// with the authority's certificate.
pub(crate) fn authority() -> &'static Authority {
    static MADE: std::sync::OnceLock<Authority> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let bundle =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}.pem", std::process::id()));
        std::fs::write(&bundle, certificate.pem()).unwrap();
        let acceptor = acceptor(&issuer, |_| {});
        Authority { bundle, issuer, acceptor }
    })
}

/// What serves TLS with a certificate for this machine's names, changed first.
fn acceptor(issuer: &Issuer<'_, KeyPair>, change: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "service.example".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let certificate = params.signed_by(&key, issuer).unwrap();
    serving(certificate.der().clone(), &key)
}

fn serving(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) async fn tls_server() -> Server {
    tls_server_of(authority().acceptor.clone()).await
}

async fn tls_server_of(acceptor: TlsAcceptor) -> Server {
    Server::start(move |_, stream, seen| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                seen.resume();
            }
            while seen.request(&mut stream).await {
                stream.write_all(&reply("200 OK", "", b"{}")).await.unwrap();
            }
        }
    })
    .await
}

/// Why nothing was sent to this server by its name.
async fn failure_at(server: &Server, host: &str) -> Failure {
    let settings = HttpSettings {
        ca_bundle: Some(authority().bundle.clone()),
        ..settings(format!("https://{host}:{}", server.address.port()))
    };
    let failure = connect(&settings).unwrap().send(request()).await.unwrap_err();
    assert_eq!((server.seen.connections(), server.seen.requests()), (1, 0));
    failure
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_named() {
    let soon = |year| rcgen::date_time_ymd(year, 1, 1);
    let refused = |failure| Failure::NotSent(NotSent::Tls(failure));
    let issuer = &authority().issuer;
    let expired = acceptor(issuer, |params| (params.not_before, params.not_after) = (soon(2001), soon(2002)));
    let early = acceptor(issuer, |params| (params.not_before, params.not_after) = (soon(3001), soon(3002)));
    let namesake = Issuer::new(CertificateParams::new(Vec::new()).unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "the proxy of a company");
    let stranger = Issuer::new(params, KeyPair::generate().unwrap());
    for (acceptor, host, failure) in [
        (expired, "localhost", TlsFailure::Expired),
        (early, "localhost", TlsFailure::NotYetValid),
        (acceptor(issuer, |_| {}), "127.0.0.1", TlsFailure::WrongName),
        (acceptor(&stranger, |_| {}), "localhost", TlsFailure::UnknownIssuer),
        (acceptor(&namesake, |_| {}), "localhost", TlsFailure::UnknownIssuer),
    ] {
        let server = tls_server_of(acceptor).await;
        assert_eq!(failure_at(&server, host).await, refused(failure));
    }
    // As `openssl req -x509` makes them: signed by itself, and an authority.
    let (mut params, key) =
        (CertificateParams::new(vec!["localhost".to_owned()]).unwrap(), KeyPair::generate());
    let key = key.unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let server = tls_server_of(serving(params.self_signed(&key).unwrap().der().clone(), &key)).await;
    assert_eq!(failure_at(&server, "localhost").await, refused(TlsFailure::Certificate));
}

/// The words are the interface: each cause has its own, and each says what to do.
#[test]
fn each_failure_of_tls_has_its_own_words() {
    let words = |failure| NotSent::Tls(failure).to_string();
    for (failure, what, advice) in [
        (
            TlsFailure::UnknownIssuer,
            "authority that is not trusted",
            "ca_bundle or in the environment variable SSL_CERT_FILE",
        ),
        (TlsFailure::WrongName, "for another host name", "check base_url"),
        (TlsFailure::Expired, "has expired", "check the clock"),
        (TlsFailure::NotYetValid, "not valid yet", "check the clock"),
        (TlsFailure::Certificate, "signed by itself", "check base_url"),
        (TlsFailure::NotTls, "plain HTTP", "its port included"),
        (TlsFailure::Closed, "closed during the TLS handshake", "firewall"),
        (TlsFailure::Refused, "refused the TLS handshake", "check base_url"),
    ] {
        let words = words(failure);
        assert!(words.contains(what) && words.contains(advice) && !words.contains('\n'), "{words}");
    }
}

#[tokio::test]
async fn a_ca_bundle_is_trusted_for_its_own_names_only() {
    let server = tls_server().await;
    let port = server.address.port();
    let settings = |host: &str, ca_bundle: &Path| HttpSettings {
        ca_bundle: Some(ca_bundle.to_owned()),
        ..settings(format!("https://{host}:{port}"))
    };
    let good = connect(&settings("localhost", &authority().bundle)).unwrap();
    assert_eq!(good.send(request()).await.unwrap().status, 200);
    assert_eq!(server.seen.requests(), 1);

    let other_name = connect(&settings("127.0.0.1", &authority().bundle)).unwrap();
    let refused = |failure| Failure::NotSent(NotSent::Tls(failure));
    assert_eq!(other_name.send(request()).await.unwrap_err(), refused(TlsFailure::WrongName));

    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let bundle = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stranger-{}.pem", std::process::id()));
    std::fs::write(&bundle, stranger.cert.pem()).unwrap();
    let other_authority = connect(&settings("localhost", &bundle)).unwrap();
    std::fs::remove_file(&bundle).unwrap();
    assert_eq!(other_authority.send(request()).await.unwrap_err(), refused(TlsFailure::UnknownIssuer));
    assert_eq!(server.seen.requests(), 1);
}

/// Whatever provider the process has for others, ours is our own: this one could not even greet.
#[tokio::test]
async fn the_default_provider_of_the_process_does_not_matter() {
    let mut useless = rustls::crypto::ring::default_provider();
    useless.cipher_suites.clear();
    let _ = useless.install_default();
    let server = tls_server().await;
    let settings = HttpSettings {
        ca_bundle: Some(authority().bundle.clone()),
        ..settings(format!("https://localhost:{}", server.address.port()))
    };
    assert_eq!(connect(&settings).unwrap().send(request()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_gets_nothing() {
    // One answers in plain text, one with an alert (a fatal handshake failure), one closes after the greeting, and
    // one before it.
    for (read_first, answer, why) in [
        (true, &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], TlsFailure::NotTls),
        (true, b"SSH-2.0-OpenSSH_9.6\r\n", TlsFailure::NotTls),
        (true, &[21, 3, 3, 0, 2, 2, 40], TlsFailure::Refused),
        (true, b"", TlsFailure::Closed),
        (false, b"", TlsFailure::Closed),
    ] {
        let server = Server::start(move |_, mut stream, _| async move {
            let mut greeting = [0; 4096];
            if read_first {
                let length = stream.read(&mut greeting).await.unwrap();
                assert!(!String::from_utf8_lossy(&greeting[..length]).contains("canary"));
                stream.write_all(answer).await.unwrap();
            }
        })
        .await;
        assert_eq!(failure_at(&server, "127.0.0.1").await, Failure::NotSent(NotSent::Tls(why)));
    }
}
