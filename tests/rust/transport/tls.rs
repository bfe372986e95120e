//! TLS: whom it trusts, and what a server gets that it does not trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exactbuyer::vendor::http::{HttpSettings, HttpTransport};
use exactbuyer::vendor::transport::{Failure, NotSent, Transport};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Server, reply};
use crate::{request, settings};

pub(crate) struct Authority {
    pub(crate) bundle: PathBuf,
    acceptor: tokio_rustls::TlsAcceptor,
}

/// An authority made for this run, a server certificate of its for this machine's names, and a file
/// with the authority's certificate.
pub(crate) fn authority() -> &'static Authority {
    static MADE: std::sync::OnceLock<Authority> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer_key = rcgen::KeyPair::generate().unwrap();
        let issuer_certificate = params.self_signed(&issuer_key).unwrap();
        let issuer = rcgen::Issuer::new(params, issuer_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["localhost".to_owned(), "service.example".to_owned()])
                .unwrap()
                .signed_by(&key, &issuer)
                .unwrap();
        let bundle =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}.pem", std::process::id()));
        std::fs::write(&bundle, issuer_certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Authority { bundle, acceptor: tokio_rustls::TlsAcceptor::from(Arc::new(config)) }
    })
}

pub(crate) async fn tls_server() -> Server {
    Server::start(|_, stream, seen| async move {
        let Ok(mut stream) = authority().acceptor.accept(stream).await else { return };
        if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            seen.resume();
        }
        while seen.request(&mut stream).await {
            stream.write_all(&reply("200 OK", "", b"{}")).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_ca_bundle_is_trusted_for_its_own_names_only() {
    let server = tls_server().await;
    let port = server.address.port();
    let settings = |host: &str, ca_bundle: &Path| HttpSettings {
        ca_bundle: Some(ca_bundle.to_owned()),
        ..settings(format!("https://{host}:{port}"))
    };
    let good = HttpTransport::new(settings("localhost", &authority().bundle)).unwrap();
    assert_eq!(good.send(request()).await.unwrap().status, 200);
    assert_eq!(server.seen.requests(), 1);

    let other_name = HttpTransport::new(settings("127.0.0.1", &authority().bundle)).unwrap();
    assert_eq!(other_name.send(request()).await.unwrap_err(), Failure::NotSent(NotSent::Tls));

    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let bundle = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stranger-{}.pem", std::process::id()));
    std::fs::write(&bundle, stranger.cert.pem()).unwrap();
    let other_authority = HttpTransport::new(settings("localhost", &bundle)).unwrap();
    std::fs::remove_file(&bundle).unwrap();
    assert_eq!(other_authority.send(request()).await.unwrap_err(), Failure::NotSent(NotSent::Tls));
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
    assert_eq!(HttpTransport::new(settings).unwrap().send(request()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_gets_nothing() {
    // One answers in plain text, one closes after the greeting, one before it.
    for (read_first, answer) in [(true, "HTTP/1.1 400 Bad Request\r\n\r\n"), (true, ""), (false, "")] {
        let server = Server::start(move |_, mut stream, _| async move {
            let mut greeting = [0; 4096];
            if read_first {
                let length = stream.read(&mut greeting).await.unwrap();
                assert!(!String::from_utf8_lossy(&greeting[..length]).contains("canary"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let settings = HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            ..settings(format!("https://{}", server.address))
        };
        let failure = HttpTransport::new(settings).unwrap().send(request()).await.unwrap_err();
        assert_eq!(failure, Failure::NotSent(NotSent::Tls));
        assert_eq!(server.seen.connections(), 1);
    }
}
