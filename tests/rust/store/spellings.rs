//! A purge removes a person from the stored answers about others, in whatever spelling they have there.

use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::service::transport::Reply;
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::Target;

use crate::fixture::*;

/// People, and their spellings in the contacts of others: the text between two quotes.
const WRITTEN: &[(FieldType, &str, &[&str])] = &[
    (
        FieldType::Email,
        "ana@x.example",
        &[
            "ANA@x.example",
            r"ana\u0040x.example",
            "ana%40x.example",
            "ana&#64;x.example",
            "Bob <bob@y.example>; Ana <ana@x.example>",
            "mailto:ana@x.example?subject=hello",
            "\u{ff41}\u{ff4e}\u{ff41}\u{ff20}x.example",
        ],
    ),
    (
        FieldType::Email,
        "ana@xn--mnchen-3ya.example",
        &["ana@m\u{fc}nchen.example", r"ana@m\u00fcnchen.example"],
    ),
    (
        FieldType::SocialProfile,
        "linkedin.com/in/jos%C3%A9",
        &[
            "linkedin.com/in/jos%C3%A9",
            "https://www.linkedin.com/in/jos\u{e9}/",
            r"https:\/\/de.linkedin.com\/in\/jos\u00e9",
            "https%3A%2F%2Flinkedin.com%2Fin%2Fjos%C3%A9",
        ],
    ),
    (
        FieldType::Phone,
        "+12015550123",
        &[
            "+1 (201) 555-0123 ext. 12",
            "201.555.0123 / 212.555.0199",
            "212 555 0199 or 201 555 0123",
            "tel:+1-201-555-0123",
            r#"x","phone":{"country_code":"1","number":"2015550123"},"y":""#,
            r#"x","phone":{"line":"555-0123","area":201,"country":"1"},"y":""#,
        ],
    ),
];

/// The parts of a spelling to look for in the file, if it is not stored as one text.
fn parts(spelling: &str) -> Vec<&str> {
    spelling.split(['"', '{', '}', ',']).filter(|part| part.len() > 6).collect()
}

#[test]
fn no_spelling_of_a_purged_person_stays_in_a_contact_or_a_kept_reply() {
    for (field_type, canonical, spellings) in WRITTEN {
        let folder = Folder::new();
        // For each spelling, one contact and one truncated reply.
        let vendor = Vendor::new(move |_, values| {
            let number: usize = values[0].trim_start_matches('p').split('@').next().unwrap().parse().unwrap();
            let reply = found(values);
            let body = String::from_utf8_lossy(&reply.body)
                .replace("of p", &format!("{} of p", spellings[number / 2]));
            let end = if number.is_multiple_of(2) { body.len() } else { body.len() - 40 };
            Ok(Reply { body: body[..end].to_owned().into(), ..reply })
        });
        let names: Vec<String> = (0..2 * spellings.len()).map(|number| format!("p{number}")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        let config = exactbuyer_core::config::Config { chunk_size: 1, max_in_doubt: 1_000, ..settings() };
        let store = folder.store();
        // One run each, because a run stops after several replies that it cannot read.
        for name in names.drain(..) {
            run(&engine(config.clone(), &vendor, &store), rows(&[name]), RunOptions::default());
        }
        let person = Identifier::from_canonical(*field_type, *canonical);
        let sought = Target::Identifier(person.clone());
        let found = store.find(&sought).unwrap();
        let count = |status| found.iter().filter(|contact| contact.status == status).count();
        let all = spellings.len();
        assert_eq!((count("found"), count("unreadable"), found.len()), (all, all, 2 * all), "{canonical}");
        for part in spellings.iter().flat_map(|spelling| parts(spelling)) {
            assert!(holds(folder.path(), part), "not stored: {part}");
        }
        let purged = store.purge(&person).unwrap();
        assert_eq!((purged.contacts, purged.replies, purged.cleaned), (all as u64, all as u64, true));
        for part in spellings.iter().flat_map(|spelling| parts(spelling)) {
            assert!(!holds(folder.path(), part), "{part}");
        }
        assert_eq!(store.find(&sought).unwrap(), []);
        // The person does not come back either.
        store.allow(&email("p0")).unwrap();
        run(&engine(config, &vendor, &store), rows(&["p0"]), RunOptions::default());
        assert_eq!(store.find(&sought).unwrap(), [], "{canonical}");
    }
}

#[test]
fn any_purge_removes_a_truncated_kept_reply() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| {
        let reply = found(values);
        let body = match number {
            1 => reply.body.slice(..reply.body.len() - 40),
            // A whole reply, about another person than was asked for.
            _ => String::from_utf8_lossy(&reply.body).replace("eve", "max").into(),
        };
        Ok(Reply { body, ..reply })
    });
    let store = folder.store();
    let requests: Vec<i64> = ["bob", "eve"]
        .map(|name| {
            run(&engine(settings(), &vendor, &store), rows(&[name]), RunOptions::default());
            store.receipts(0).unwrap().last().unwrap().request
        })
        .into();
    let kept =
        || requests.iter().map(|request| store.read_unread(*request).unwrap().is_some()).collect::<Vec<_>>();
    assert_eq!(kept(), [true, true]);
    // The first reply is truncated, so it may be about anybody. The second is whole, and is not about Zoe.
    assert_eq!(store.purge(&email("zoe")).unwrap().replies, 1);
    assert_eq!(kept(), [false, true]);
    assert_eq!(store.purge(&email("eve")).unwrap().replies, 1, "it was asked for");
}

#[test]
fn a_person_purged_from_a_copy_is_erased_by_a_merge() {
    let (a, b) = (Folder::new(), Folder::new());
    let vendor = Vendor::new(|_, values| {
        let reply = found(values);
        let body = String::from_utf8_lossy(&reply.body).replace("of bob@", "of ana%40x.example and bob@");
        Ok(Reply { body: body.into(), ..reply })
    });
    once(&a, settings(), &vendor, &["ana", "bob", "eve"]);
    copy_store(&a.file("a.db"), &b.file("a.db"));
    b.store().purge(&email("ana")).unwrap();
    let store = a.store();
    store.merge(&b.file("a.db")).unwrap();
    drop(store);
    for text in ["ana@x.example", "ana%40x.example", "bob@x.example"] {
        assert!(!holds(a.path(), text), "{text}");
    }
    assert!(holds(a.path(), "eve@x.example"));
    assert_eq!(a.store().info().unwrap().credits, 3);
}
