//! Another process that uses the same store: this test, started again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use exactbuyer_core::config::{Config, OnUnknown};
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Failure, Reply, Request, Transport};
use exactbuyer_dispatch::{Engine, RunOptions};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};

use crate::fixture::*;

/// What another process is to do, as its environment has it.
const PART: &str = "EXACTBUYER_TEST_PART";
const PLACE: &str = "EXACTBUYER_TEST_PLACE";

pub(crate) struct Other(Child, BufReader<ChildStdout>);

impl Other {
    pub(crate) fn start(folder: &Folder, part: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "other::the_other_process", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(PLACE, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self(child, said)
    }

    /// Waits until it says this.
    pub(crate) fn says(&mut self, what: &str) {
        let mut line = String::new();
        while !line.trim_end().ends_with(what) {
            line.clear();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it never said {what}");
        }
    }

    /// The next line in which it says something that begins like this.
    pub(crate) fn hears(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it never said {begin}");
            if let Some(at) = line.find(begin) {
                return line[at..].trim_end().to_owned();
            }
        }
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Kills the process. Those that it has forked live on until this value is dropped, if they read what it tells.
    pub(crate) fn dies(&mut self) {
        self.0.kill().unwrap();
        let ears = self.0.stdin.take();
        self.0.wait().unwrap();
        self.0.stdin = ears;
    }

    pub(crate) fn tell(&mut self, what: &str) {
        let ears = self.0.stdin.as_mut().unwrap();
        writeln!(ears, "{what}").unwrap();
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    pub(crate) fn ends(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says when it is asked, and never answers.
struct Silent;

impl Transport for Silent {
    fn send(&self, _: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        println!("asked");
        pending().boxed()
    }
}

/// Waits for a line.
pub(crate) fn listen() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Notes in a file of all processes what it was asked for.
pub(crate) fn shared_vendor(folder: &Path) -> Vendor {
    let ledger = folder.join("ledger");
    Vendor::new(move |_, values| {
        let mut ledger = std::fs::OpenOptions::new().append(true).create(true).open(&ledger).unwrap();
        ledger.write_all((values.join("\n") + "\n").as_bytes()).unwrap();
        Ok(found(values))
    })
}

pub(crate) fn overlapping(part: usize) -> Vec<String> {
    (0..60).map(|number| format!("p{}", (number * (part + 3)) % 97)).collect()
}

pub(crate) fn small_chunks() -> Config {
    Config { chunk_size: 7, max_concurrency: 4, requests_per_minute: 10_000, ..settings() }
}

#[test]
fn the_other_process() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = std::path::PathBuf::from(std::env::var(PLACE).unwrap());
    if part == "opens" {
        let opened = exactbuyer_store::sqlite::SqliteStore::open(&folder.join("a.db"), "loopback");
        return println!("{:?}", opened.map(drop));
    }
    let store = open_at(&folder);
    let answering = shared_vendor(&folder);
    let silent = |config| Engine::seeded(config, Arc::new(Silent), Arc::new(store.clone()), 1);
    let ask = |engine: &Engine, names: &[&str]| run(engine, rows(names), RunOptions::default());
    let (part, number) = part.split_once(' ').unwrap_or((&part, "0"));
    let number: usize = number.parse().unwrap();
    match part {
        "silent" => drop(ask(&silent(settings()), &["ana", "bob"])),
        "resend" => {
            let config = Config { on_unknown: OnUnknown::Resend, ..settings() };
            drop(ask(&silent(config), &["ana", "bob"]));
        }
        "late" => {
            let vendor = Vendor::new(|_, values| {
                println!("asked");
                listen();
                Ok(found(values))
            });
            ask(&engine(settings(), &vendor, &store), &["ana", "bob"]);
        }
        "overlap" => {
            let names = overlapping(number);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let done = ask(&engine(small_chunks(), &answering, &store), &names);
            assert_eq!(done.receipt.count(Status::Found), 60);
        }
        "rate" => {
            let requests_per_minute = u32::try_from(number).unwrap();
            let config = Config { chunk_size: 1, requests_per_minute, ..settings() };
            let done = ask(&engine(config, &answering, &store), &["a", "b", "c"]);
            assert_eq!(done.receipt.requests, 3);
            println!("done");
            listen();
        }
        // As fast as it can, one request after another, each for somebody else.
        "many" | "more" => {
            let config = Config { chunk_size: 1, requests_per_minute: 10_000, ..settings() };
            let names: Vec<String> = (0..number).map(|n| format!("{part}{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            println!("ready");
            let done = ask(&engine(config, &answering, &store), &names);
            assert_eq!(done.receipt.count(Status::Found), number as u64);
        }
        #[cfg(target_os = "linux")]
        "forks" | "forks-while-it-writes" => {
            crate::forks::fork_in_use(&folder, &store, part == "forks-while-it-writes");
        }
        "doubts" => println!("{} in doubt", store.unknown().unwrap().len()),
        _ => panic!("{part}"),
    }
}
