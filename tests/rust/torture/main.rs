//! The proofs of the durable store: killed processes, failing disks, power cuts, several processes at once. See
//! `docs/design/store-proofs.md`.
//!
//! They do not use the usual test harness, because the processes that are killed are this program, started again.

#![allow(missing_docs)] // a test: nobody imports it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod books;
mod chores;
mod disk;
#[allow(dead_code)] // what the store's other tests need of it
#[path = "../store/fixture.rs"]
mod fixture;
mod kill;
mod many;
mod power;
mod replay;
mod step;
mod worker;

use std::panic::{UnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How thorough the proofs are: `TORTURE=10` makes ten times as many tries as the default of 1.
fn times() -> u64 {
    std::env::var("TORTURE").map_or(1, |text| text.parse().expect("TORTURE is a number"))
}

/// How many tries the current proof has made. A failure reports this number.
static TRIES: AtomicU64 = AtomicU64::new(0);

fn one_more_try() {
    TRIES.fetch_add(1, Ordering::Relaxed);
}

type Proof = fn(u64) -> String;

/// The proofs by name. Each returns a summary of what it has tried.
const PROOFS: [(&str, Proof); 7] = [
    ("step", step::every_step_fails_once),
    ("send", step::every_send_fails_once),
    ("chore", chores::every_chore_fails_once),
    ("power", power::the_power_is_cut),
    ("kill", kill::processes_are_killed),
    ("many", many::eight_at_once),
    ("read", many::eight_while_their_files_are_read),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [part, job] = &words[..]
        && part == worker::PART
    {
        worker::work(job);
        return;
    }
    // Other words choose proofs. Words with a dash are options of the usual harness.
    let chosen = |name: &str| {
        let mut words = words.iter().filter(|word| !word.starts_with('-')).peekable();
        words.peek().is_none() || words.any(|word| name.contains(&**word))
    };
    let mut proofs = PROOFS.iter().filter(|(name, _)| chosen(name)).peekable();
    assert!(proofs.peek().is_some(), "there is no such proof");
    disk::watch_all();
    hide_expected_panics();
    for (name, proof) in proofs {
        prove(name, *proof);
    }
}

fn prove(name: &str, proof: impl FnOnce(u64) -> String + UnwindSafe) {
    TRIES.store(0, Ordering::Relaxed);
    let began = Instant::now();
    match catch_unwind(|| proof(times())) {
        Ok(said) => println!("{name}: {said} ({:.0} s)", began.elapsed().as_secs_f64()),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            let line = said.lines().next().unwrap_or_default();
            println!("FAILED {name} after {}: {line}", TRIES.load(Ordering::Relaxed));
            std::process::exit(1);
        }
    }
}

/// Prints no message for panics that are part of a test.
fn hide_expected_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if !said.contains(step::PLANNED) && !power::is_expected_to_fail() {
            usual(info);
        }
    }));
}
