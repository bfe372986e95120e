//! Compares random histories of stores and their copies with a simple model.

use std::collections::{BTreeMap, BTreeSet};

use exactbuyer_core::store::{Availability, Outcome, Store, Terms};
use exactbuyer_store::sqlite::{JournalEntry, Resolution, SqliteStore};
use proptest::prelude::*;

use crate::copies::{Kind, Pending, claim, copy, merge, settle};
use crate::fixture::*;

#[derive(Debug, Clone)]
enum Step {
    /// A request at a store for some of the people, answered at once or later.
    Ask(usize, Vec<(usize, Kind)>, bool),
    /// One of the waiting requests is answered.
    Settle(usize),
    Copy(usize),
    Purge(usize, usize),
    Resolve(usize, Resolution),
    Merge(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    // The service knows a person or not. A reply may be lost.
    let kind = (0_usize..PEOPLE, prop::bool::weighted(0.2)).prop_map(|(who, lost)| match who % 4 {
        _ if lost => (who, Kind::Unknown),
        3 => (who, Kind::Miss),
        _ => (who, Kind::Hit),
    });
    let people = prop::collection::vec(kind, 1..4);
    let at = 0_usize..100;
    prop_oneof![
        6 => (at.clone(), people, any::<bool>()).prop_map(|(at, people, late)| Step::Ask(at, people, late)),
        3 => at.clone().prop_map(Step::Settle),
        3 => at.clone().prop_map(Step::Copy),
        1 => (at.clone(), 0_usize..PEOPLE).prop_map(|(at, who)| Step::Purge(at, who)),
        2 => (at.clone(), prop::sample::select(&Resolution::ALL)).prop_map(|(at, to)| Step::Resolve(at, to)),
        4 => (at.clone(), at).prop_map(|(into, from)| Step::Merge(into, from)),
    ]
}

const PEOPLE: usize = 12;
const MOST_STORES: usize = 5;

/// Every request that any of the stores has made.
#[derive(Default)]
struct Model {
    requests: Vec<Asked>,
    /// Doubts that were decided: the request, and the person.
    decided: BTreeSet<(usize, String)>,
    /// Requests of which a user has said that no more was charged than was known: these credits.
    not_charged: BTreeSet<(usize, u64)>,
    purged: BTreeSet<String>,
}

struct Asked {
    lookups: Vec<(String, Kind)>,
    answered: bool,
}

impl Model {
    /// The outcome of a lookup, as all stores together know it.
    fn kind(asked: &Asked, kind: Kind) -> Kind {
        if asked.answered { kind } else { Kind::Unknown }
    }

    /// Requests, credits, credits in doubt.
    ///
    /// Nothing of a request is in doubt if a user has said so who knew the same credits.
    fn books(&self) -> (u64, u64, u64) {
        let (mut credits, mut in_doubt) = (0, 0);
        for (number, asked) in self.requests.iter().enumerate() {
            let count =
                |kind| asked.lookups.iter().filter(|(_, one)| Self::kind(asked, *one) == kind).count() as u64;
            credits += count(Kind::Hit);
            if !self.not_charged.contains(&(number, count(Kind::Hit))) {
                in_doubt += count(Kind::Unknown);
            }
        }
        (self.requests.len() as u64, credits, in_doubt)
    }

    /// For people who were not purged: how often each lookup had each outcome.
    fn answers(&self) -> BTreeMap<(String, Kind), usize> {
        let mut answers = BTreeMap::new();
        for asked in &self.requests {
            for (name, kind) in asked.lookups.iter().filter(|(name, _)| !self.purged.contains(name)) {
                *answers.entry((name.clone(), Self::kind(asked, *kind))).or_default() += 1;
            }
        }
        answers
    }

    fn doubts(&self) -> BTreeSet<(usize, String)> {
        let open = (0..).zip(&self.requests).flat_map(|(number, asked)| {
            let unknown = asked.lookups.iter().filter(|(_, kind)| Self::kind(asked, *kind) == Kind::Unknown);
            unknown.map(move |(name, _)| (number, name.clone()))
        });
        open.filter(|doubt| !self.decided.contains(doubt) && !self.purged.contains(&doubt.1)).collect()
    }

    /// The store knows what all of them together know.
    fn is_all_of(&self, store: &SqliteStore) -> Result<(), TestCaseError> {
        let info = store.info().unwrap();
        prop_assert_eq!((info.requests, info.credits, info.credits_in_doubt), self.books());
        let mut answers = BTreeMap::new();
        for line in exported(store) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let kind = match line["status"].as_str().unwrap() {
                "found" => Kind::Hit,
                "not_found" => Kind::Miss,
                _ => Kind::Unknown,
            };
            let name = line["value"].as_str().unwrap().split('@').next().unwrap().to_owned();
            if !self.purged.contains(&name) {
                *answers.entry((name, kind)).or_default() += 1;
            }
        }
        prop_assert_eq!(answers, self.answers());
        let doubts: BTreeSet<_> =
            doubts(store).into_iter().filter(|(_, name)| !self.purged.contains(name)).collect();
        prop_assert_eq!(doubts, self.doubts());
        // Every contact that was paid for is served.
        let run = store.begin(Terms::default());
        for ((name, kind), _) in self.answers() {
            let availability = wait(store.consult(run, &[].into(), &[&email(&name)])).unwrap().remove(0);
            let served = matches!(availability, Availability::Known(Outcome::Hit(_), _));
            prop_assert!(served || kind != Kind::Hit, "{} is {:?}", name, availability);
        }
        store.end(run);
        Ok(())
    }
}

fn doubts(store: &SqliteStore) -> Vec<(usize, String)> {
    let journal = store.receipts(0).unwrap();
    let number = |request| {
        let entry = journal.iter().find(|entry| entry.request == request).unwrap();
        entry.tags["number"].parse().unwrap()
    };
    let doubts = store.unknown().unwrap().into_iter();
    let name = |value: &str| value.split('@').next().unwrap().to_owned();
    doubts.map(|doubt| (number(doubt.request), name(doubt.identifier.canonical()))).collect()
}

/// The settled requests with credits in doubt, and their known credits.
fn in_doubt(store: &SqliteStore) -> Vec<(usize, u64)> {
    let doubtful = |entry: &JournalEntry| entry.settled_ms.is_some() && entry.credits_in_doubt > 0;
    let journal = store.receipts(0).unwrap().into_iter().filter(doubtful);
    journal.map(|entry| (entry.tags["number"].parse().unwrap(), entry.credits)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// After random copies, requests, late answers, purges, decisions and merges, all stores are merged in a
    /// random order. The result contains what all of them know, and each request once.
    #[test]
    fn copies_of_a_store_can_be_merged_in_any_order(
        steps in prop::collection::vec(step(), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), MOST_STORES),
    ) {
        let folders = std::cell::RefCell::new(vec![Folder::new(), Folder::new()]);
        let mut stores: Vec<SqliteStore> = folders.borrow().iter().map(Folder::store).collect();
        let (mut model, mut waiting) = (Model::default(), Vec::<Pending>::new());
        for step in steps {
            let count = stores.len();
            match step {
                Step::Ask(at, people, late) => {
                    let at = at % count;
                    let people: BTreeMap<_, _> = people.into_iter().map(|(who, kind)| (format!("p{who}"), kind)).collect();
                    let people: Vec<_> = people.into_iter().collect();
                    let Some(pending) = claim(&stores[at], at, model.requests.len(), &people) else { continue };
                    model.requests.push(Asked { lookups: pending.lookups.clone(), answered: !late });
                    if late { waiting.push(pending) } else { settle(&stores[at], &pending) }
                }
                Step::Settle(which) if !waiting.is_empty() => {
                    let pending = waiting.swap_remove(which % waiting.len());
                    settle(&stores[pending.store], &pending);
                    model.requests[pending.number].answered = true;
                }
                Step::Copy(at) if count < MOST_STORES => {
                    let copied = copy(&folders.borrow()[at % count]);
                    stores.push(copied.store());
                    folders.borrow_mut().push(copied);
                }
                Step::Purge(at, who) => {
                    model.purged.insert(format!("p{who}"));
                    stores[at % count].purge(&email(&format!("p{who}"))).unwrap();
                }
                Step::Resolve(at, to) => {
                    let store = &stores[at % count];
                    model.decided.extend(doubts(store));
                    if to == Resolution::NotCharged {
                        model.not_charged.extend(in_doubt(store));
                    }
                    store.resolve_unknown(to, None).unwrap();
                }
                Step::Merge(into, from) if into % count != from % count => {
                    stores[into % count].merge(stores[from % count].path()).unwrap();
                }
                Step::Settle(_) | Step::Copy(_) | Step::Merge(..) => {}
            }
        }
        // Requests that still wait stay without an answer.
        drop(stores);
        let folders = folders.into_inner();
        let mut rest: Vec<&Folder> = folders.iter().collect();
        let mut drawn = Vec::new();
        for index in order.iter().take(folders.len()) {
            drawn.push(rest.remove(index.index(rest.len())));
        }
        let all = Folder::new();
        for folder in &drawn {
            merge(&all, folder);
        }
        model.is_all_of(&all.store())?;
        for folder in &drawn[1..] {
            merge(drawn[0], folder);
        }
        model.is_all_of(&drawn[0].store())?;
        for folder in &drawn {
            prop_assert_eq!(merge(&all, folder).requests, 0, "taken over once");
        }
        model.is_all_of(&all.store())?;
    }
}
