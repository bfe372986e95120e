//! What is never said, neither in errors nor in any log.

use std::sync::{Mutex, Once};

use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::service::transport::Transport;
use exactbuyer_http::HttpSettings;

use crate::proxies::behind;
use crate::server::Server;
use crate::tls::{authority, tls_server};
use crate::{connect, request, settings};

struct Listener(Mutex<String>);

static HEARD: Listener = Listener(Mutex::new(String::new()));

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        use std::fmt::Write as _;
        writeln!(self.0.lock().unwrap(), "{} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&HEARD).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

#[tokio::test]
async fn neither_key_nor_body_nor_password_is_ever_said() {
    use std::fmt::Write as _;

    listen();
    let mut said = String::new();
    let server = tls_server().await;
    let refusing = Server::answering_once("HTTP/1.1 407 Who are you\r\n\r\n").await;
    let closing = Server::answering_once("").await;
    for settings in [
        HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            ..settings(format!("https://localhost:{}", server.address.port()))
        },
        behind(&refusing),
        settings(closing.url()),
    ] {
        let _ = write!(said, "{settings:?} {settings:#?}");
        let transport = connect(&settings).unwrap();
        let _ = write!(said, "{transport:?} {transport:#?}");
        let _ = write!(said, "{:?}", transport.send(request()).await);
    }
    for wrong in [
        HttpSettings { proxy: Some("ftp://u:canary@proxy".to_owned()), ..settings(server.url()) },
        HttpSettings { base_url: "https://u:canary@x.example".to_owned(), ..settings("") },
        HttpSettings { ca_bundle: Some("/no/such/file".into()), ..settings(server.url()) },
    ] {
        let _ = write!(said, "{wrong:?}");
        let error = connect(&wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let _ = write!(said, "{error} {error:?}");
    }
    said += &HEARD.0.lock().unwrap();
    assert!(said.contains("reqwest") && said.contains("rustls"), "the log was not heard");
    assert!(!said.contains("canary"), "{said}");
}
