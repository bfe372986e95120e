//! What the environment says. Tests share theirs, so each of these runs in a process of its own.

use std::process::Command;

use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::service::transport::{Failure, NotSent, ProxyFailure, ProxySource, Transport};
use exactbuyer_http::HttpSettings;

use crate::server::{Server, reply};
use crate::tls::{authority, tls_server};
use crate::{connect, request, send_once, settings};

const AUTHORITIES: [&str; 4] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// Runs one of the parts of [`in_an_environment`].
fn run_part(part: &str, variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "environment::in_an_environment", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "EXACTBUYER_OFFLINE"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    for name in AUTHORITIES {
        command.env_remove(name);
    }
    let output = command.env("PART", part).envs(variables.iter().cloned()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("part done"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[tokio::test]
async fn in_an_environment() {
    let Ok(part) = std::env::var("PART") else { return };
    let away = || {
        connect(&HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            ..settings("https://service.example")
        })
        .unwrap()
    };
    match part.as_str() {
        "offline" => {
            let here = Server::answering(reply("200 OK", "", b"{}")).await;
            assert!(matches!(away().send(request()).await.unwrap_err(), Failure::Forbidden(_)));
            assert_eq!(send_once(&here).await.unwrap().status, 200);
            // Loopback by name, but sent to someone else's proxy.
            let detour = HttpSettings {
                proxy: Some("http://proxy.example:1".to_owned()),
                ca_bundle: Some(authority().bundle.clone()),
                ..settings(here.url().replace("http:", "https:"))
            };
            let failure = connect(&detour).unwrap().send(request()).await.unwrap_err();
            assert!(matches!(failure, Failure::Forbidden(_)));
            assert_eq!(here.seen.requests(), 1);
        }
        "proxy" => {
            // The proxy of the environment refuses whatever it is asked.
            let Failure::NotSent(NotSent::Proxy(ProxyFailure::LoginMissing, source)) =
                away().send(request()).await.unwrap_err()
            else {
                panic!("the proxy asks for a login");
            };
            let ProxySource::Variable(name) = source else { panic!("{source:?}") };
            println!("by {name}");
        }
        "wrong" => {
            let settings = || HttpSettings {
                ca_bundle: Some(authority().bundle.clone()),
                ..settings("https://service.example")
            };
            let error = connect(&settings()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.to_string().contains("HTTPS_PROXY") && !error.to_string().contains("canary"),
                "{error}"
            );
            // What the settings say counts more.
            let proxy = Some("http://proxy.example".to_owned());
            connect(&HttpSettings { proxy, ..settings() }).unwrap();
            let here = Server::answering(reply("200 OK", "", b"{}")).await;
            assert_eq!(send_once(&here).await.unwrap().status, 200);
        }
        "loopback" => {
            let here = Server::answering(reply("200 OK", "", b"{}")).await;
            assert_eq!(send_once(&here).await.unwrap().status, 200);
        }
        "authorities" => {
            let url = std::env::var("URL").unwrap();
            let sent = match connect(&settings(&url)) {
                Ok(transport) => transport.send(request()).await.map(|reply| reply.status),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Config);
                    println!("refused: {error}");
                    return println!("part done");
                }
            };
            println!("sent: {sent:?}");
        }
        other => panic!("no such part: {other}"),
    }
    let _ = std::fs::remove_file(&authority().bundle);
    println!("part done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offline_allows_loopback_only() {
    run_part("offline", &[("EXACTBUYER_OFFLINE", "1".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_of_the_environment_is_used_but_never_for_loopback() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Server::answering_once("HTTP/1.1 407 Who are you\r\n\r\n").await;
        let said = run_part("proxy", &[(name, proxy.url())]);
        assert!(said.contains(&format!("by {name}\n")), "{said}");
        assert_eq!(proxy.seen.requests(), 1, "{name}");
    }
    let proxy = Server::answering_once("HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let everything = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
    run_part("loopback", &everything.map(|name| (name, proxy.url())));
    assert_eq!(proxy.seen.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_that_cannot_be_read_is_refused() {
    run_part("wrong", &[("HTTPS_PROXY", "http://canary:x:y:z".to_owned())]);
}

/// `settings.ca_bundle` is not set in any of these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authorities_of_the_environment_are_trusted_in_order() {
    let server = tls_server().await;
    let url = format!("https://localhost:{}", server.address.port());
    let right = authority().bundle.display().to_string();
    let stranger = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("stranger-of-environment-{}.pem", std::process::id()));
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&stranger, other.cert.pem()).unwrap();
    let (stranger, missing) = (stranger.display().to_string(), "/no/such/bundle.pem".to_owned());
    let said = |variables: &[(&'static str, &String)]| {
        let mut all = vec![("URL", url.clone())];
        all.extend(variables.iter().map(|(name, value)| (*name, (*value).clone())));
        run_part("authorities", &all)
    };
    let (good, untrusted) = ("sent: Ok(200)", "UnknownIssuer");
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
        assert!(said(&[(name, &right)]).contains(good), "{name}");
        assert!(said(&[(name, &stranger)]).contains(untrusted), "{name}");
        let refused = said(&[(name, &missing)]);
        assert!(refused.contains("refused: ") && refused.contains(name) && refused.contains(&missing));
    }
    for (first, second) in [("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")]
    {
        assert!(said(&[(first, &right), (second, &missing)]).contains(good));
        assert!(said(&[(first, &stranger), (second, &right)]).contains(untrusted));
    }
    assert_eq!(server.seen.requests(), 5);
    let _ = std::fs::remove_file(stranger);
}
