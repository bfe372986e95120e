//! Which answer may be used for which question, against a model that is too simple to be wrong.

use std::time::Duration;

use exactbuyer_core::store::{
    Availability, Claim, Evidence, Outcome, RequestOutcome, Required, Store, Terms,
};
use futures_util::FutureExt;
use proptest::prelude::*;

use crate::fixture::{Folder, email, wait};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hit,
    Miss,
    Rejected,
    Unknown,
}

/// Something was asked, so many minutes ago.
#[derive(Debug, Clone)]
struct Asked {
    fields: u8,
    kind: Kind,
    minutes_ago: u64,
    resend: bool,
}

#[derive(Debug, Clone)]
struct Question {
    fields: u8,
    max_age: Option<u64>,
    miss_max_age: Option<u64>,
    refresh: bool,
    resend: bool,
}

fn required(fields: u8) -> Required {
    let names = ["email", "phone", "work_email"];
    // In an order that is not the alphabet's: a set has none.
    (0..3).rev().filter(|bit| fields & (1 << bit) != 0).map(|bit| names[bit].into()).collect()
}

fn body(number: usize) -> bytes::Bytes {
    format!("{{\"number\":{number}}}").into()
}

/// The model: every answer there is, whether its doubt is still open.
type Model = Vec<(Asked, bool)>;

fn within(inner: u8, outer: u8) -> bool {
    inner & outer == inner
}

fn expected(model: &Model, question: &Question) -> Availability {
    let Question { fields, max_age, miss_max_age, refresh, resend } = question.clone();
    let fresh =
        |asked: &Asked, most: Option<u64>| !refresh && most.is_none_or(|most| asked.minutes_ago < most);
    // The newest of those that do; of two as old, the one asked later.
    let newest = |may: &dyn Fn(&(Asked, bool)) -> bool| {
        let those = (0..).zip(model).filter(|(_, answer)| may(answer));
        those.max_by_key(|(place, (asked, _))| (std::cmp::Reverse(asked.minutes_ago), *place))
    };
    let usable = newest(&|(asked, _)| match asked.kind {
        Kind::Hit => within(fields, asked.fields) && fresh(asked, max_age),
        Kind::Miss => within(asked.fields, fields) && fresh(asked, miss_max_age),
        Kind::Rejected => fresh(asked, miss_max_age),
        Kind::Unknown => false,
    });
    let doubt = newest(&|(asked, open)| {
        let related = within(fields, asked.fields) || within(asked.fields, fields);
        *open && related && !resend
    });
    let known = |number, kind| {
        let known = match kind {
            Kind::Hit => Outcome::Hit(body(number)),
            Kind::Miss => Outcome::Miss,
            Kind::Rejected => Outcome::Rejected("refused".into()),
            Kind::Unknown => Outcome::Unknown("lost".into()),
        };
        Availability::Known(known, exactbuyer_core::store::Seen::default())
    };
    match (usable, doubt) {
        (Some((number, (asked, _))), _) | (None, Some((number, (asked, _)))) => known(number, asked.kind),
        (None, None) => {
            let paid = |(asked, _): &(Asked, bool)| asked.kind == Kind::Hit;
            if model.iter().any(paid) { Availability::Again } else { Availability::Free }
        }
    }
}

/// Without the times, which the model does not keep.
fn plain(availability: Availability) -> Availability {
    match availability {
        Availability::Known(known, _) => Availability::Known(known, exactbuyer_core::store::Seen::default()),
        other => other,
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let kind = prop_oneof![Just(Kind::Hit), Just(Kind::Miss), Just(Kind::Rejected), Just(Kind::Unknown)];
    (0_u8..8, kind, 1_u64..50, any::<bool>()).prop_map(|(fields, kind, minutes_ago, resend)| Asked {
        fields,
        kind,
        minutes_ago,
        resend,
    })
}

fn question() -> impl Strategy<Value = Question> {
    let age = || prop::option::of(1_u64..60);
    (0_u8..8, age(), age(), prop::bool::weighted(0.2), any::<bool>()).prop_map(
        |(fields, max_age, miss_max_age, refresh, resend)| Question {
            fields,
            max_age,
            miss_max_age,
            refresh,
            resend,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_the_model_does(
        history in prop::collection::vec(asked(), 0..12),
        questions in prop::collection::vec(question(), 1..20),
    ) {
        let (folder, ana) = (Folder::new(), email("ana"));
        let store = folder.store();
        let mut model = Model::new();
        for asked in history {
            let fields = required(asked.fields);
            // Asks for what is there already, too, but for doubts, unless told to.
            let run = store.begin(Terms { refresh: true, resend: asked.resend, requests_per_minute: 1_000_000, ..Terms::default() });
            let claim = wait(store.claim(run, &fields, std::slice::from_ref(&ana))).unwrap();
            let Claim::Granted { request, availability } = claim else { return Err(TestCaseError::fail("refused")) };
            let question = Question {
                fields: asked.fields, max_age: None, miss_max_age: None, refresh: true, resend: asked.resend,
            };
            prop_assert_eq!(plain(availability[0].clone()), expected(&model, &question));
            if matches!(availability[0], Availability::Known(..)) {
                continue;
            }
            if asked.resend {
                for (older, open) in &mut model {
                    *open &= !within(older.fields, asked.fields) && !within(asked.fields, older.fields);
                }
            }
            let known = match asked.kind {
                Kind::Hit => Outcome::Hit(body(model.len())),
                Kind::Miss => Outcome::Miss,
                Kind::Rejected => Outcome::Rejected("refused".into()),
                Kind::Unknown => Outcome::Unknown("lost".into()),
            };
            let at_ms = jiff::Timestamp::now().as_millisecond() - i64::try_from(asked.minutes_ago * 60_000).unwrap();
            let evidence = Evidence { at_ms, outcome: RequestOutcome::Answered, left: true, ..Evidence::default() };
            wait(store.settle(run, &fields, request, vec![(ana.clone(), known)], evidence)).unwrap();
            store.end(run);
            let open = asked.kind == Kind::Unknown;
            model.push((asked, open));
        }
        for question in questions {
            let age = |minutes: Option<u64>| minutes.map(|minutes| Duration::from_secs(minutes * 60 - 30));
            let run = store.begin(Terms {
                max_age: age(question.max_age),
                miss_max_age: age(question.miss_max_age),
                refresh: question.refresh,
                resend: question.resend,
                ..Terms::default()
            });
            let fields = required(question.fields);
            let availability = store.consult(run, &fields, &[&ana]).now_or_never();
            let availability = availability.unwrap_or_else(|| wait(store.consult(run, &fields, &[&ana]))).unwrap();
            store.end(run);
            prop_assert_eq!(plain(availability[0].clone()), expected(&model, &question), "{:?}", question);
        }
    }
}
