//! Tests the sandbox through raw sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;

mod faults;
mod many;

/// What came back over a raw socket.
struct Raw {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Raw {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

fn form(list: &Value, required: &[&str]) -> String {
    let fields: Vec<_> = required.iter().map(|name| json!({"field_type": name})).collect();
    form_urlencoded::Serializer::new(String::new())
        .append_pair("query_list", &list.to_string())
        .append_pair("required_fields", &json!(fields).to_string())
        .finish()
}

fn emails(values: &[&str]) -> Value {
    values.iter().map(|value| json!({"field_type": "email", "value": value})).collect()
}

fn head_of(path: &str, key: &str, content_type: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Sends one request and reads one reply, as far as this is possible.
fn send(sandbox: &Sandbox, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(sandbox.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request)?;
    read_answer(&mut stream)
}

/// Reads up to the end that Content-Length announces, or up to the end of the connection.
fn read_answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut piece = [0_u8; 16_384];
    loop {
        let read = stream.read(&mut piece)?;
        all.extend_from_slice(&piece[..read]);
        let done = memchr::memmem::find(&all, b"\r\n\r\n").is_some_and(|end| {
            let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            length.is_some_and(|length: usize| all.len() >= end + 4 + length)
        });
        if read == 0 || done {
            return Ok(all);
        }
    }
}

fn parse(answer: &[u8]) -> Raw {
    let end = memchr::memmem::find(answer, b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head, body: answer[end + 4..].to_vec() }
}

fn call_as(sandbox: &Sandbox, key: &str, content_type: &str, body: &str) -> io::Result<Vec<u8>> {
    let head = head_of(exactbuyer_core::service::limits::PATH, key, content_type, body.len());
    send(sandbox, format!("{head}{body}").as_bytes())
}

fn call(sandbox: &Sandbox, list: &Value, required: &[&str]) -> Raw {
    parse(&call_as(sandbox, "k", FORM, &form(list, required)).unwrap())
}

fn start(options: Options) -> Sandbox {
    Sandbox::start(options).unwrap()
}

fn everybody() -> Options {
    Options { match_rate: 1.0, ..Options::default() }
}

#[test]
fn answers_in_order_and_bills_each_match() {
    let sandbox = start(Options { seed: 5, ..Options::default() });
    let list: Value = (0..1000)
        .map(|n| match n % 3 {
            0 => json!({"field_type": "email", "value": format!("P{n}@acme.example")}),
            1 => json!({"field_type": "phone", "value": format!("+1-773-474-{n:04}")}),
            _ => json!({"field_type": "social_profile", "value": format!("linkedin.com/in/\"p\"-{n}")}),
        })
        .collect();
    let answer = call(&sandbox, &list, &[]).json();
    let contacts = answer["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 1000);
    let mut found = 0;
    for (asked, got) in list.as_array().unwrap().iter().zip(contacts) {
        assert_eq!(asked["value"], got["value"]);
        let contact = &got["enriched_contact"];
        if contact.is_null() {
            continue;
        }
        found += 1;
        assert!(!contact["full_name"].as_str().unwrap().is_empty());
        let value = asked["value"].as_str().unwrap();
        match asked["field_type"].as_str().unwrap() {
            "email" => assert_eq!(contact["current_work_email"], value.to_lowercase()),
            "phone" => assert_eq!(contact["phone_numbers"][0]["E164"], value.replace('-', "")),
            _ => assert_eq!(contact["social_profiles"][0]["url"], value),
        }
    }
    assert_eq!(answer["records_enriched"], found);
    assert!((650..750).contains(&found), "{found}");
    let ledger = sandbox.ledger();
    assert_eq!(ledger.credits(), found);
    assert_eq!(ledger.entries().len(), 1000);
    let request = &ledger.requests()[0];
    assert_eq!((request.status, request.lookups, u64::from(request.credits)), (Some(200), 1000, found));
    let names: Vec<&str> = request.header_names.iter().map(|name| &**name).collect();
    assert!(names.contains(&"x-api-key") && !names.contains(&"authorization"), "{names:?}");
}

#[test]
fn contacts_are_as_large_and_as_odd_as_real_ones() {
    let sandbox = start(everybody());
    let values: Vec<String> = (0..1000).map(|n| format!("p{n}@acme.example")).collect();
    let answer = call(&sandbox, &emails(&values.iter().map(String::as_str).collect::<Vec<_>>()), &[]).json();
    let contacts: Vec<&Value> =
        answer["contacts"].as_array().unwrap().iter().map(|one| &one["enriched_contact"]).collect();
    let bytes: usize = contacts.iter().map(|contact| contact.to_string().len()).sum();
    assert!((1_200..1_450).contains(&(bytes / 1000)), "{}", bytes / 1000);
    assert!(contacts.iter().any(|contact| contact["gender"].is_null()));
    assert!(contacts.iter().any(|contact| contact.get("education").is_none()));
    assert!(contacts.iter().any(|contact| !contact["full_name"].as_str().unwrap().is_ascii()));
    assert!(contacts.iter().all(|contact| contact["location"]["latitude"].is_f64()));
    assert!(contacts.iter().all(|contact| contact["id"].is_u64()));
}

#[test]
fn the_same_seed_makes_the_same_people() {
    let list = emails(&["a@x.example", "b@x.example", "c@x.example", "d@gmail.com"]);
    let of = |seed| call(&start(Options { seed, ..everybody() }), &list, &[]).body;
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_match_counts_only_with_all_that_is_required() {
    let sandbox = start(everybody());
    let values: Vec<String> = (0..500).map(|n| format!("p{n}@acme.example")).collect();
    let list = emails(&values.iter().map(String::as_str).collect::<Vec<_>>());
    let all = call(&sandbox, &list, &[]).json();
    let some = call(&sandbox, &list, &["phone", "personal_email"]).json();
    let mut kept = 0;
    for (with, without) in
        some["contacts"].as_array().unwrap().iter().zip(all["contacts"].as_array().unwrap())
    {
        let contact = &without["enriched_contact"];
        let has = |name: &str| contact[name].as_array().is_some_and(|list| !list.is_empty());
        let expected = if has("phone_numbers") && has("personal_emails") { contact } else { &Value::Null };
        assert_eq!(&with["enriched_contact"], expected);
        kept += u64::from(!expected.is_null());
    }
    assert_eq!(some["records_enriched"], kept);
    assert!(kept > 100 && kept < 400, "{kept}");
}

#[test]
fn the_same_value_twice_is_billed_twice() {
    let sandbox = start(everybody());
    let answer = call(&sandbox, &emails(&["a@x.example", "a@x.example"]), &[]).json();
    assert_eq!(answer["records_enriched"], 2);
    assert_eq!(sandbox.ledger().times_billed(FieldType::Email, "a@x.example"), 2);
}

#[test]
fn json_bodies_are_understood_and_others_are_not() {
    let sandbox = start(everybody());
    let body = json!({"query_list": emails(&["a@x.example"]), "required_fields": []}).to_string();
    let status = |content_type| parse(&call_as(&sandbox, "k", content_type, &body).unwrap()).status;
    assert_eq!(status("application/json; charset=utf-8"), 200);
    assert_eq!(status("text/plain"), 400);
    assert_eq!(status(FORM), 400);
}

#[test]
fn refusals_are_free_and_on_the_books() {
    let sandbox = start(Options { api_key: Some("right".into()), ..everybody() });
    let body = form(&emails(&["a@x.example"]), &[]);
    let status = |key| parse(&call_as(&sandbox, key, FORM, &body).unwrap()).status;
    assert_eq!((status("wrong"), status(""), status("right")), (401, 401, 200));
    let elsewhere = send(&sandbox, b"GET /v1/bulk-enrich HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(parse(&elsewhere).status, 404);
    let elsewhere = send(&sandbox, head_of("/v2/x", "right", FORM, 0).as_bytes()).unwrap();
    assert_eq!(parse(&elsewhere).status, 404);
    let ledger = sandbox.ledger();
    let statuses: Vec<_> = ledger.requests().iter().map(|request| request.status.unwrap()).collect();
    assert_eq!(statuses, [401, 401, 200, 404, 404]);
    assert_eq!((ledger.credits(), ledger.entries().len()), (1, 1));
    assert_eq!(&*ledger.requests()[4].target, "POST /v2/x");
}

#[test]
fn a_call_beyond_the_credits_is_refused_whole() {
    let sandbox = start(Options { credits: Some(3), ..everybody() });
    let two = emails(&["a@x.example", "b@x.example"]);
    assert_eq!(call(&sandbox, &two, &[]).status, 200);
    assert_eq!(call(&sandbox, &two, &[]).status, 403);
    assert_eq!(call(&sandbox, &emails(&["a@x.example"]), &[]).status, 200);
    sandbox.nobody(FieldType::Email, "z@x.example");
    assert_eq!(call(&sandbox, &emails(&["z@x.example"]), &[]).status, 403);
    sandbox.top_up(2);
    assert_eq!(call(&sandbox, &two, &[]).status, 200);
    assert_eq!((sandbox.ledger().credits(), sandbox.credits_left()), (5, Some(0)));
}

#[test]
fn too_many_calls_get_the_html_page() {
    for (retry_after, looks_right) in [
        (None, (|said| said.is_none()) as fn(Option<&str>) -> bool),
        (Some(RetryAfter::Seconds), |said| said.is_some_and(|s| (1..=60).contains(&s.parse().unwrap_or(0)))),
        (Some(RetryAfter::Date), |said| said.is_some_and(|date| httpdate::parse_http_date(date).is_ok())),
    ] {
        let sandbox = start(Options { requests_per_minute: Some(2), retry_after, ..everybody() });
        let answers: Vec<_> = (0..3).map(|_| call(&sandbox, &emails(&["a@x.example"]), &[])).collect();
        assert_eq!(answers.iter().map(|raw| raw.status).collect::<Vec<_>>(), [200, 200, 429]);
        assert!(answers[2].body.starts_with(b"<!DOCTYPE html>"));
        assert!(looks_right(answers[2].header("retry-after")), "{retry_after:?}: {}", answers[2].head);
        assert_eq!(sandbox.ledger().credits(), 2);
    }
}

#[test]
fn overrides_are_obeyed_in_any_spelling() {
    let sandbox = start(Options { match_rate: 0.0, ..Options::default() });
    sandbox
        .person(
            FieldType::Email,
            "Ana@X.example",
            r#"{"full_name": "Ana", "phone_numbers": [{"E164": "+1"}]}"#,
        )
        .unwrap();
    sandbox
        .person(FieldType::SocialProfile, "https://linkedin.com/in/ana/", r#"{"full_name": "Ana L."}"#)
        .unwrap();
    assert!(sandbox.person(FieldType::Email, "b@x.example", "[]").is_err());
    let list = json!([
        {"field_type": "email", "value": "ana@x.example"},
        {"field_type": "social_profile", "value": "linkedin.com/in/ana"},
        {"field_type": "email", "value": "b@x.example"},
    ]);
    let names = |required: &[&str]| -> Vec<Value> {
        let answer = call(&sandbox, &list, required).json();
        answer["contacts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["enriched_contact"]["full_name"].clone())
            .collect()
    };
    assert_eq!(names(&[]), [json!("Ana"), json!("Ana L."), Value::Null]);
    assert_eq!(names(&["phone"]), [json!("Ana"), Value::Null, Value::Null]);
    sandbox.nobody(FieldType::Email, "ana@x.example");
    assert_eq!(names(&["phone"]), [Value::Null, Value::Null, Value::Null]);
    sandbox.reject(FieldType::Email, "b@x.example");
    assert_eq!(call(&sandbox, &list, &[]).status, 400);
    assert_eq!(sandbox.ledger().credits(), 3);
    sandbox.reset();
    assert_eq!(names(&[]), [Value::Null, Value::Null, Value::Null]);
    assert_eq!((sandbox.ledger().requests().len(), sandbox.ledger().requests()[0].number), (1, 1));
}
