//! The process that is killed: a real run over real sockets against a sandbox in another process. It prints each stage
//! that it reaches and each outcome that it gets, so that the outcomes can be compared with the store after its death.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use exactbuyer_core::config::Config;
use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::plan::Row;
use exactbuyer_core::secret::ApiKey;
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_http::{HttpSettings, HttpTransport};
use exactbuyer_store::sqlite::SqliteStore;
use serde::{Deserialize, Serialize};

use crate::disk;

/// The word that makes this program a worker.
pub(crate) const PART: &str = "work";

/// A worker that takes longer than this hangs: its disk and its sandbox answer in milliseconds.
const LONGEST: Duration = Duration::from_mins(2);

/// What a worker has to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) store: PathBuf,
    pub(crate) url: String,
    /// The e-mail addresses to look up.
    pub(crate) rows: Vec<String>,
    pub(crate) chunk_size: usize,
    pub(crate) max_concurrency: usize,
    pub(crate) max_credits: Option<u64>,
    /// How often it opens the store, each time for another part of its rows. 0 counts as 1.
    pub(crate) openings: usize,
    /// How many other new stores it opens first, at the same time as the other workers.
    pub(crate) makes: usize,
    /// Whether it waits for a line of input before it opens the store.
    pub(crate) waits: bool,
    /// It kills itself at this operation on the files of the store.
    pub(crate) dies_at: Option<u64>,
    /// Whether it reads all files of the store again and again, as a backup tool in the same process does.
    pub(crate) reads: bool,
    /// One of this many operations on the files of the store fails.
    pub(crate) one_fails_in: Option<u64>,
}

/// Does the job, in the process that was started for it.
pub(crate) fn work(job: &str) {
    let job: Job = serde_json::from_slice(&std::fs::read(job).unwrap()).unwrap();
    let mut acts = 0;
    disk::watch_all();
    disk::decide_by(Some(Box::new(move |_, _| {
        acts += 1;
        if Some(acts) == job.dies_at {
            disk::die();
        }
        let fails = job.one_fails_in.is_some_and(|most| fastrand::u64(0..most) == 0);
        if fails { disk::Fate::Fails } else { disk::Fate::Done }
    })));
    if job.waits {
        println!("ready");
        std::io::stdin().lines().next();
    }
    if job.reads {
        let folder = job.store.parent().unwrap().to_owned();
        std::thread::spawn(move || {
            loop {
                for file in std::fs::read_dir(&folder).unwrap().flatten() {
                    let _ = std::fs::read(file.path());
                }
            }
        });
    }
    for number in 0..job.makes {
        let made = job.store.with_file_name(format!("made{number}.db"));
        if let Err(error) = SqliteStore::open(&made, "loopback") {
            println!("error {error}");
            std::process::exit(3);
        }
    }
    for rows in job.rows.chunks(job.rows.len().div_ceil(job.openings.max(1)).max(1)) {
        open_and_enrich(&job, rows);
    }
}

fn open_and_enrich(job: &Job, rows: &[String]) {
    println!("opening");
    let store = match SqliteStore::open(&job.store, "loopback") {
        Ok(store) => store,
        // Its disk is known to fail.
        Err(error) if job.one_fails_in.is_some() => return println!("trouble {:?} {error}", error.kind()),
        Err(error) => {
            println!("error {error}");
            std::process::exit(3);
        }
    };
    println!("open");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(enrich(job, rows, &store));
    println!("closing");
    drop(runtime);
    drop(store);
    println!("closed");
}

async fn enrich(job: &Job, rows: &[String], store: &SqliteStore) {
    let key = ApiKey::new("torture").unwrap();
    let config = Config {
        chunk_size: job.chunk_size,
        max_concurrency: job.max_concurrency,
        max_credits: job.max_credits,
        requests_per_minute: 1_000_000,
        max_retries: 0,
        key_fingerprint: store.fingerprint(&key).unwrap(),
        ..Config::default()
    };
    let settings = HttpSettings {
        base_url: job.url.clone(),
        timeout: Duration::from_secs(30),
        ..HttpSettings::default()
    };
    let transport = HttpTransport::new(&settings, &key).unwrap();
    let engine = Engine::new(config, Arc::new(transport), Arc::new(store.clone()), (job.url.clone(), 0));
    let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
    run.feed(rows.iter().map(|row| Row::One(person(row))).collect(), Vec::new());
    run.finish();
    while let Some(outcomes) = run.next().await {
        for outcome in outcomes {
            let number = usize::try_from(outcome.row).unwrap();
            let record = outcome.record.as_deref().map_or(0, fingerprint);
            println!("row {} {} {record}", rows[number], outcome.status.as_str());
        }
    }
    for trouble in run.troubles() {
        println!("trouble {:?} {trouble}", trouble.kind());
    }
}

pub(crate) fn person(value: &str) -> Identifier {
    Identifier::from_canonical(FieldType::Email, value)
}

/// A hash of a contact's bytes.
pub(crate) fn fingerprint(record: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.hash(&mut hasher);
    hasher.finish().max(1)
}

/// An outcome that a worker got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) value: String,
    pub(crate) status: String,
    /// The fingerprint of the contact; 0 if there is none.
    pub(crate) record: u64,
}

/// What is known of a worker that has ended.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) status: ExitStatus,
    /// The last stage that it printed.
    pub(crate) stage: String,
    pub(crate) given: Vec<Given>,
    pub(crate) troubles: Vec<String>,
    /// How long it lived after it began to open its store.
    pub(crate) lived: Duration,
}

/// When a worker is killed, from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// How long after it has printed the stage.
    pub(crate) after: Duration,
    pub(crate) stage: &'static str,
}

/// A running worker.
pub(crate) struct Worker {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<(Instant, String)>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    pub(crate) fn start(job: &Job) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let written = job.store.with_file_name(format!("job{number}"));
        std::fs::write(&written, serde_json::to_vec(job).unwrap()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(PART)
            .arg(written)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, lines) = channel();
        let mut from = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut line = String::new();
            // A line that was cut off by its death does not count.
            while from.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
                let _ = say.send(line.trim_end().to_owned());
                line.clear();
            }
        });
        Self { child, lines, heard: Vec::new() }
    }

    /// Reads its output until it prints this stage. Returns whether it has.
    pub(crate) fn says(&mut self, stage: &str) -> bool {
        let until = Instant::now() + LONGEST;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let said = line == stage;
            self.heard.push((Instant::now(), line));
            if said {
                return true;
            }
        }
        assert!(
            Instant::now() < until,
            "every run comes to an end: a worker is still running after {LONGEST:?}"
        );
        false
    }

    /// Lets a worker that waits continue.
    pub(crate) fn go(&mut self) {
        drop(self.child.stdin.take());
    }

    pub(crate) fn kill_at(mut self, moment: Moment) -> Remains {
        if self.says(moment.stage) {
            // The moment is random. The worker may have done anything by then.
            std::thread::sleep(moment.after);
            self.child.kill().unwrap();
        }
        self.ends()
    }

    /// Waits for its end, and collects what it has printed.
    pub(crate) fn ends(mut self) -> Remains {
        self.says("");
        let status = self.child.wait().unwrap();
        let mut remains = Remains {
            status,
            stage: "starting".into(),
            given: Vec::new(),
            troubles: Vec::new(),
            lived: Duration::ZERO,
        };
        let mut opening: Option<Instant> = None;
        for (at, line) in &self.heard {
            let mut words = line.split(' ');
            match words.next().unwrap_or_default() {
                "row" => {
                    let mut word = || words.next().unwrap_or_default().to_owned();
                    let (value, status, record) = (word(), word(), word().parse().unwrap());
                    remains.given.push(Given { value, status, record });
                    "running".clone_into(&mut remains.stage);
                }
                "trouble" => remains.troubles.push(line.clone()),
                "error" => panic!("a store can always be opened: {line}"),
                stage => {
                    if stage == "opening" {
                        opening.get_or_insert(*at);
                    }
                    stage.clone_into(&mut remains.stage);
                }
            }
            remains.lived = opening.map_or(Duration::ZERO, |since| at.saturating_duration_since(since));
        }
        remains
    }
}
