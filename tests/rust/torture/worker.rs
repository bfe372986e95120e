//! The process that is killed: a real run over the real network against somebody else's sandbox. It
//! says line by line how far it is and what it was given, so that what it was given can be asked for
//! after its death.

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

/// No worker takes so long: its disk and its sandbox answer in milliseconds.
const LONGEST: Duration = Duration::from_mins(2);

/// What a worker is to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) store: PathBuf,
    pub(crate) url: String,
    /// E-mail addresses, as they are asked for.
    pub(crate) rows: Vec<String>,
    pub(crate) chunk_size: usize,
    pub(crate) max_concurrency: usize,
    pub(crate) max_credits: Option<u64>,
    /// Opens the store so often, each time for another part of its rows; 0: once.
    pub(crate) openings: usize,
    /// So many other stores it opens before, which nobody has made yet, to race with those who do the same.
    pub(crate) makes: usize,
    /// Waits for a line before it opens the store.
    pub(crate) waits: bool,
    /// Dies as the n-th thing is done to a file of the store.
    pub(crate) dies_at: Option<u64>,
    /// Whether it reads all files of the store again and again, as a backup tool in the same process does.
    pub(crate) reads: bool,
    /// Of so many things done to a file of the store, one fails.
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

/// Tells a contact's bytes from others.
pub(crate) fn fingerprint(record: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.hash(&mut hasher);
    hasher.finish().max(1)
}

/// A row that a worker was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) value: String,
    pub(crate) status: String,
    /// 0 where there is none.
    pub(crate) record: u64,
}

/// What is left of a worker.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) status: ExitStatus,
    /// The last stage that it said it had come to.
    pub(crate) stage: String,
    pub(crate) given: Vec<Given>,
    pub(crate) troubles: Vec<String>,
    /// From when it was about to open its store.
    pub(crate) lived: Duration,
}

/// When a worker is killed, from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// So long after it has said so.
    pub(crate) after: Duration,
    pub(crate) stage: &'static str,
}

/// A worker, alive.
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
            // What was being said when it died is no whole line.
            while from.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
                let _ = say.send(line.trim_end().to_owned());
                line.clear();
            }
        });
        Self { child, lines, heard: Vec::new() }
    }

    /// Hears it out until it says this; whether it has.
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
            "every run comes to an end: a worker still had not after {LONGEST:?}"
        );
        false
    }

    /// Lets one that waits go on.
    pub(crate) fn go(&mut self) {
        drop(self.child.stdin.take());
    }

    pub(crate) fn kill_at(mut self, moment: Moment) -> Remains {
        if self.says(moment.stage) {
            // The moment is the point: it is drawn, and nothing is expected to have happened by then.
            std::thread::sleep(moment.after);
            self.child.kill().unwrap();
        }
        self.ends()
    }

    /// Waits for its end, and gathers what it has said.
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
