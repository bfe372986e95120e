//! The engine alone: identify, plan, pace, encode, send, receive, take apart, settle; no Python and
//! no objects. Prints, as its last line, the records and the processor seconds that they took.
//!
//! ```console
//! $ cargo bench -p exactbuyer_tests --bench engine -- 1000000
//! ```
//!
//! The sandbox runs in a process of its own, so that its time is not counted.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use exactbuyer_core::config::Config;
use exactbuyer_core::identifier::{Rules, identify};
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::Status;
use exactbuyer_core::secret::ApiKey;
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_http::{HttpSettings, HttpTransport};
use exactbuyer_sandbox::{Options, Sandbox};
use exactbuyer_store::MemoryStore;

/// Requests in flight, as in the other figures.
const CONCURRENCY: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "serve") {
        serve();
        return;
    }
    let records = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(300_000);
    let mut server = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let cpu_s = measure(url.trim(), records);
    drop(server.stdin.take());
    server.wait().unwrap();
    #[allow(clippy::cast_precision_loss)]
    let each_us = cpu_s * 1e6 / records as f64;
    println!("{each_us:.2} us of processor time a record");
    println!(r#"{{"records": {records}, "cpu_s": {cpu_s}}}"#);
}

/// Serves until the parent goes.
fn serve() {
    let options = Options { requests_per_minute: None, ..Options::default() };
    let sandbox = Sandbox::start(options).unwrap();
    println!("{}", sandbox.url());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn measure(url: &str, records: usize) -> f64 {
    let settings =
        HttpSettings { base_url: url.to_owned(), timeout: Duration::from_mins(1), ..HttpSettings::default() };
    let transport = HttpTransport::new(&settings, &ApiKey::new("bench").unwrap()).unwrap();
    let config = Config { requests_per_minute: 1_000_000, max_concurrency: CONCURRENCY, ..Config::default() };
    let spelled: Vec<String> =
        (0..records).map(|number| format!("Person{number}@company{}.example", number % 997)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();

    let before = cpu_s();
    let found = runtime.block_on(async {
        let engine =
            Engine::new(config, Arc::new(transport), Arc::new(MemoryStore::default()), (url.to_owned(), 0));
        let run = engine.start(runtime.handle(), RunOptions::default());
        let rules = Rules::default();
        run.feed(
            spelled.iter().map(|text| Row::One(identify(text, None, &rules).unwrap())).collect(),
            Vec::new(),
        );
        run.finish();
        while run.next().await.is_some() {}
        run.receipt().count(Status::Found)
    });
    let took = cpu_s() - before;
    assert!(
        usize::try_from(found).is_ok_and(|found| found > records / 2),
        "only {found} of {records} were found"
    );
    took
}

/// Processor seconds of this process, user and system (`man 5 proc_pid_stat`, fields 14 and 15, in
/// hundredths of a second).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
