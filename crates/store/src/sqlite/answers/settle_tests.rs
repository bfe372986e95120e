//! Answers that cannot be stored when they come.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::store::{Claim, Evidence, Outcome, Store as _, Terms};

use super::super::file::Fault;
use super::super::process::SqliteStore;
use super::super::threads::{Shared, Work, WriterState};
use super::settle::{Line, SettleWork, lines};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("exactbuyer-settle-{name}-{}", std::process::id())))
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0.join("a.db"), "loopback").unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An answer that cannot be stored, for a reason that passes after so many attempts.
struct Stuck(u32, Option<oneshot::Sender<()>>);

impl Work for Stuck {
    fn write(&mut self, _: &Connection, _: &mut WriterState) -> Result<(), Fault> {
        self.0 = self.0.saturating_sub(1);
        if self.0 == 0 { Ok(()) } else { Err(Fault::of("the disk is full")) }
    }

    fn finish(mut self: Box<Self>, _: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>> {
        if let Some(reply) = self.1.take() {
            reply.send(()).unwrap();
        }
        if committed.is_err() { Some(self) } else { None }
    }

    fn blocks_claims(&self) -> bool {
        true
    }
}

fn give_stuck(store: &SqliteStore, attempts: u32) {
    let (reply, failed) = oneshot::channel();
    store.opening().unwrap().writer.give(Box::new(Stuck(attempts, Some(reply))));
    failed.blocking_recv().unwrap();
}

fn claim(store: &SqliteStore, lookups: &[Identifier]) -> Result<Claim, Error> {
    let (run, required) = (store.begin(Terms { requests_per_minute: 9, ..Terms::default() }), [].into());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.claim(run, &required, lookups))
}

/// An answer that could not be packed when it came.
fn unpacked(request: i64, lines: Vec<Line>, reply: oneshot::Sender<Result<u64, Error>>) -> SettleWork {
    let (evidence, reply) = (Evidence::default(), Some(reply));
    SettleWork { request, lines, packed: None, evidence, withheld: 0, is_hopeless: false, reply }
}

fn email(address: &str) -> Identifier {
    Identifier::from_canonical(FieldType::Email, address)
}

#[test]
fn answers_that_were_never_stored_are_not_in_memory_once_the_store_is_closed() {
    let folder = Folder::new("closed");
    let store = folder.open();
    let shared = Arc::downgrade(&store.opening().unwrap().shared);
    give_stuck(&store, u32::MAX);
    drop(store);
    assert!(shared.upgrade().is_none());
}

#[test]
fn while_an_answer_waits_to_be_stored_nothing_more_is_claimed() {
    let folder = Folder::new("full");
    let store = folder.open();
    let [ana, bob] = ["ana@x.example", "bob@x.example"].map(email);
    store.purge(&bob).unwrap();
    give_stuck(&store, u32::MAX);
    let refused = claim(&store, &[ana, bob.clone()]).unwrap_err();
    assert!(refused.to_string().contains("nothing more is sent"));
    // Nothing is left to send.
    assert!(claim(&store, &[bob]).is_ok());
}

#[test]
fn a_claim_first_stores_what_waits() {
    let folder = Folder::new("first");
    let store = folder.open();
    give_stuck(&store, 2);
    assert!(claim(&store, &[email("ana@x.example")]).is_ok());
}

#[test]
fn answers_that_can_never_be_stored_do_not_keep_others_from_being_claimed() {
    let folder = Folder::new("hopeless");
    let store = folder.open();
    let (reply, answer) = oneshot::channel();
    // No such request is in the file.
    store.opening().unwrap().writer.give(Box::new(unpacked(7, Vec::new(), reply)));
    assert!(answer.blocking_recv().unwrap().is_err(), "it is reported");
    assert!(claim(&store, &[email("ana@x.example")]).is_ok());
}

#[test]
fn an_answer_that_could_not_be_packed_when_it_came_is_packed_by_the_writer() {
    let folder = Folder::new("unpacked");
    let store = folder.open();
    let ana = email("ana@x.example");
    let Claim::Granted { request, .. } = claim(&store, std::slice::from_ref(&ana)).unwrap() else {
        unreachable!("nothing keeps it from being claimed")
    };
    let opening = store.opening().unwrap();
    let answers = lines(&opening.shared, vec![(ana, Outcome::Hit(Bytes::from_static(b"{}")))]);
    let (reply, answer) = oneshot::channel();
    opening.writer.give(Box::new(unpacked(request.0, answers, reply)));
    assert_eq!(answer.blocking_recv().unwrap().unwrap(), 0);
    let (page, _) = store.export(0).unwrap().unwrap();
    assert!(page[0].contains(r#""enriched_contact":{}"#), "{page:?}");
}
