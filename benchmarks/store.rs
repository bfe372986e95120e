//! What the durable store costs: a run without it, one with it, the same from the file, and the
//! disk that it takes. Prints, as its last line, the figures as JSON.
//!
//! ```console
//! $ cargo bench -p exactbuyer_tests --bench store -- 300000 [folder]
//! ```
//!
//! The sandbox runs in a process of its own, so that its time is not counted.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss)] // counts of records

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exactbuyer_core::config::Config;
use exactbuyer_core::identifier::{Rules, identify};
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::Status;
use exactbuyer_core::secret::ApiKey;
use exactbuyer_core::store::Store;
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_http::{HttpSettings, HttpTransport};
use exactbuyer_sandbox::{Options, Sandbox};
use exactbuyer_store::MemoryStore;
use exactbuyer_store::sqlite::SqliteStore;

/// Requests in flight, as in the other figures.
const CONCURRENCY: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "serve") {
        serve();
        return;
    }
    let records = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(300_000);
    let given = arguments.iter().find(|argument| argument.starts_with('/')).map(PathBuf::from);
    let folder =
        given.unwrap_or_else(std::env::temp_dir).join(format!("exactbuyer-bench-{}", std::process::id()));
    let mut server = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let path = folder.join("store.db");
    let open = || SqliteStore::open(&path, "loopback").unwrap();

    let without = measure(url.trim(), records, Arc::new(MemoryStore::default()));
    let store = open();
    let with = measure(url.trim(), records, Arc::new(store.clone()));
    let found = store.info().unwrap().hits;
    drop(store);
    let disk = std::fs::metadata(&path).unwrap().len();
    let opening = Instant::now();
    let store = open();
    let open_ms = opening.elapsed().as_secs_f64() * 1e3;
    let again = measure(url.trim(), records, Arc::new(store.clone()));
    drop(store);
    drop(server.stdin.take());
    server.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();

    let each_us = |cpu_s: f64| cpu_s * 1e6 / records as f64;
    let ratio = disk as f64 / with.raw_bytes as f64;
    println!("without a store   {:6.2} us of processor time a record", each_us(without.cpu_s));
    println!(
        "with one          {:6.2} us ({:+.2})",
        each_us(with.cpu_s),
        each_us(with.cpu_s - without.cpu_s)
    );
    println!("served from it    {:6.2} us", each_us(again.cpu_s));
    println!(
        "on the disk       {ratio:6.3} of {} MB raw, {found} contacts; opened in {open_ms:.1} ms",
        with.raw_bytes >> 20
    );
    println!(
        r#"{{"records": {records}, "without_us": {}, "with_us": {}, "served_us": {}, "disk_ratio": {ratio}, "open_ms": {open_ms}}}"#,
        each_us(without.cpu_s),
        each_us(with.cpu_s),
        each_us(again.cpu_s),
    );
    assert_eq!(with.raw_bytes, again.raw_bytes);
}

/// Serves until the parent goes.
fn serve() {
    let options = Options { requests_per_minute: None, ..Options::default() };
    let sandbox = Sandbox::start(options).unwrap();
    println!("{}", sandbox.url());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

struct Measured {
    cpu_s: f64,
    raw_bytes: u64,
}

fn measure(url: &str, records: usize, store: Arc<dyn Store>) -> Measured {
    let settings =
        HttpSettings { base_url: url.to_owned(), timeout: Duration::from_mins(1), ..HttpSettings::default() };
    let transport = HttpTransport::new(&settings, &ApiKey::new("bench").unwrap()).unwrap();
    let config = Config { requests_per_minute: 1_000_000, max_concurrency: CONCURRENCY, ..Config::default() };
    let spelled: Vec<String> =
        (0..records).map(|number| format!("Person{number}@company{}.example", number % 997)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();

    let before = cpu_s();
    let (found, raw_bytes) = runtime.block_on(async {
        let engine = Engine::new(config, Arc::new(transport), store, (url.to_owned(), 0));
        let run = engine.start(runtime.handle(), RunOptions::default());
        let rules = Rules::default();
        run.feed(
            spelled.iter().map(|text| Row::One(identify(text, None, &rules).unwrap())).collect(),
            Vec::new(),
        );
        run.finish();
        let mut raw_bytes = 0;
        while let Some(outcomes) = run.next().await {
            let records = outcomes.iter().filter_map(|outcome| outcome.record.as_ref());
            raw_bytes += records.map(|record| record.len() as u64).sum::<u64>();
        }
        (run.receipt().count(Status::Found), raw_bytes)
    });
    let cpu_s = cpu_s() - before;
    assert!(
        usize::try_from(found).is_ok_and(|found| found > records / 2),
        "only {found} of {records} were found"
    );
    Measured { cpu_s, raw_bytes }
}

/// Processor seconds of this process, user and system (`man 5 proc_pid_stat`, fields 14 and 15, in
/// hundredths of a second).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
