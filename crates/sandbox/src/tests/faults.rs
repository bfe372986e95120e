//! Every fault: what the client receives, and what the ledger records.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

/// Five people, all known.
const ASKED: [&str; 5] = ["a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"];

/// The result of one request with a fault: its reply, or the error while it was read.
fn meet(fault: BadLuck) -> (io::Result<Vec<u8>>, Ledger) {
    let sandbox = start(everybody());
    sandbox.fail(fault);
    let body = form(&emails(&ASKED), &[]);
    let answer = call_as(&sandbox, "k", FORM, &body);
    (answer, sandbox.ledger())
}

/// The good answer to the same call.
fn good() -> Value {
    call(&start(everybody()), &emails(&ASKED), &[]).json()
}

/// The reply to a request with the fault of this name.
fn answer(fault: Fault) -> Raw {
    parse(&meet(fault.on_request(1)).0.unwrap())
}

fn contacts(answer: &Value) -> &Vec<Value> {
    answer["contacts"].as_array().unwrap()
}

/// A connection on which a call that meets the fault was made, and nothing read yet.
fn sent(fault: BadLuck) -> (Sandbox, TcpStream) {
    let sandbox = start(everybody());
    sandbox.fail(fault);
    let body = form(&emails(&ASKED), &[]);
    let head = head_of(exactbuyer_core::service::limits::PATH, "k", FORM, body.len());
    let mut stream = TcpStream::connect(sandbox.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    (sandbox, stream)
}

/// Reads at least so many bytes.
fn read_some(stream: &mut TcpStream, least: usize) -> Vec<u8> {
    let mut bytes = vec![0; least];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_fault_is_on_the_books_and_billed_as_its_name_says() {
    for fault in Fault::ALL {
        // Faults without any reply are checked without waiting for one.
        let ledger = match fault {
            Fault::Hang | Fault::HangBeforeBilling | Fault::Drip | Fault::Endless => {
                let (sandbox, _stream) = sent(fault.on_request(1));
                while sandbox.ledger().requests().first().is_none_or(|request| request.body_bytes == 0) {
                    std::thread::yield_now();
                }
                sandbox.ledger()
            }
            Fault::Slow => meet(BadLuck { pause: Some(Duration::from_millis(1)), ..fault.on_request(1) }).1,
            _ => meet(fault.on_request(1)).1,
        };
        let name = fault.as_str();
        let billed = if fault.is_billed() { 5 } else { 0 };
        assert_eq!((ledger.credits(), ledger.entries().len() as u64), (billed, billed), "{name}");
        assert_eq!(ledger.requests().len(), 1, "{name}");
        let request = &ledger.requests()[0];
        assert_eq!((u64::from(request.credits), request.fault), (billed, Some(fault)), "{name}");
        let silent = ["reset", "close", "hang", "garbage"].iter().any(|silent| name.starts_with(silent));
        let status = (!silent).then(|| fault.status().unwrap_or(200));
        assert_eq!(request.status, status, "{name}");
    }
}

#[test]
fn statuses_are_as_named() {
    let mut seen = 0;
    for fault in Fault::ALL {
        if let Some(status) = fault.status() {
            let answer = answer(fault);
            assert_eq!(answer.status, status);
            if status == 429 {
                assert!(answer.body.starts_with(b"<!DOCTYPE html>"));
            }
            assert_eq!(answer.header("location").is_some(), fault.as_str().starts_with("redirect"));
            seen += 1;
        }
    }
    assert_eq!(seen, 21);
}

#[test]
fn redirects_and_waits_say_what_they_were_told() {
    let (reply, _) =
        meet(BadLuck { location: Some("http://127.0.0.1:1/x".into()), ..Fault::Redirect307.always() });
    assert_eq!(parse(&reply.unwrap()).header("location"), Some("http://127.0.0.1:1/x"));
    assert!(answer(Fault::Redirect308).header("location").unwrap().ends_with("/elsewhere"));
    let (reply, _) = meet(BadLuck { retry_after: Some("7".into()), ..Fault::Status503.always() });
    assert_eq!(parse(&reply.unwrap()).header("retry-after"), Some("7"));
}

#[test]
fn resets_reset_and_closes_close() {
    for fault in [Fault::ResetAfterBilling, Fault::ResetBeforeBilling] {
        let error = meet(fault.on_request(1)).0.unwrap_err();
        // The one that comes while the request is still being written may show as a broken pipe.
        let reset = matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
        assert!(reset, "{}: {error}", fault.as_str());
    }
    for fault in [Fault::CloseAfterBilling, Fault::CloseBeforeBilling] {
        assert_eq!(meet(fault.on_request(1)).0.unwrap(), b"", "{}", fault.as_str());
    }
}

#[test]
fn a_hang_waits_until_the_client_leaves() {
    for fault in [Fault::Hang, Fault::HangBeforeBilling] {
        let (sandbox, stream) = sent(fault.on_request(1));
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        (&stream).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "{}", fault.as_str());
        // Others are served meanwhile.
        assert_eq!(call(&sandbox, &emails(&ASKED), &[]).status, 200);
    }
}

#[test]
fn slow_answers_are_good_answers() {
    let (reply, ledger) = meet(BadLuck { pause: Some(Duration::from_millis(1)), ..Fault::Slow.always() });
    assert_eq!(parse(&reply.unwrap()).json(), good());
    assert_eq!(ledger.credits(), 5);
}

#[test]
fn truncated_bodies_end_inside_a_record() {
    let cut = answer(Fault::Truncate);
    let promised: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert!(cut.body.len() < promised && cut.body.starts_with(br#"{"contacts":[{"enriched_contact":{"id""#));
    assert_eq!(memchr::memmem::find(&cut.body, br#""value":"a@x.example""#), None);
    let cut = answer(Fault::TruncateChunked);
    assert_eq!(cut.header("transfer-encoding"), Some("chunked"));
    assert!(!cut.body.ends_with(b"0\r\n\r\n") && cut.body.len() > 100);
}

#[test]
fn drips_and_endless_bodies_go_on() {
    let (_sandbox, mut stream) =
        sent(BadLuck { pause: Some(Duration::from_micros(1)), ..Fault::Drip.always() });
    let dripped = parse(&read_answer(&mut stream).unwrap());
    assert_eq!(dripped.json(), good());
    let (_sandbox, mut stream) = sent(Fault::Endless.always());
    let megabytes = read_some(&mut stream, 4 << 20);
    assert!(memchr::memmem::find(&megabytes, b"e@x.example").is_some());
    assert!(megabytes.ends_with(b" "));
}

#[test]
fn contacts_that_do_not_fit_the_query() {
    let (good, json) = (good(), |fault| answer(fault).json());
    let mut reversed = contacts(&good).clone();
    reversed.reverse();
    assert_eq!(contacts(&json(Fault::Reorder)), &reversed);
    assert_eq!(contacts(&json(Fault::Fewer)), &contacts(&good)[..3]);
    let more = json(Fault::More);
    assert_eq!((contacts(&more).len(), &contacts(&more)[5]), (6, &contacts(&good)[0]));
    let foreign = json(Fault::Foreign);
    assert!(!ASKED.contains(&foreign["contacts"][0]["value"].as_str().unwrap()));
    assert_eq!(&contacts(&foreign)[1..], &contacts(&good)[1..]);
    for fault in [Fault::Reorder, Fault::Fewer, Fault::More, Fault::Foreign] {
        assert_eq!(json(fault)["records_enriched"], 5);
    }
}

#[test]
fn counts_that_do_not_fit_the_contacts() {
    let good = good();
    for (fault, count) in
        [(Fault::WrongCount, json!(4)), (Fault::AbsurdCount, json!(5_000)), (Fault::NoCount, Value::Null)]
    {
        let odd = answer(fault).json();
        assert_eq!((&odd["contacts"], &odd["records_enriched"]), (&good["contacts"], &count));
    }
}

#[test]
fn bodies_that_are_not_json() {
    let text = answer(Fault::NotJson);
    assert_eq!((text.status, text.header("content-type")), (200, Some("application/json")));
    assert!(serde_json::from_slice::<Value>(&text.body).is_err());
    let page = answer(Fault::Html200);
    assert_eq!((page.status, page.body.starts_with(b"<!DOCTYPE html>")), (200, true));
    let (reply, _) = meet(Fault::Garbage.always());
    assert!(!reply.unwrap().starts_with(b"HTTP"));
}

#[test]
fn one_odd_record_among_good_ones() {
    let text = |fault| String::from_utf8(answer(fault).body).unwrap();
    let good = serde_json::to_string(&good()["contacts"][1]).unwrap().len();
    for (fault, oddity) in [
        (Fault::BrokenRecord, r#"{"broken":,"id":"#),
        (Fault::LoneSurrogate, r#"{"note":"half \ud83d of it","id":"#),
        (Fault::Nan, r#"{"score":NaN,"lowest":-Infinity,"id":"#),
        (Fault::BigInt, r#"{"big_int":123456789012345678901234567890,"id":"#),
        (Fault::DuplicateKeys, r#"{"full_name":"Not Their Name","id":"#),
    ] {
        let body = text(fault);
        let at = body.find(oddity).unwrap_or_else(|| panic!("{}", fault.as_str()));
        assert_eq!(at, r#"{"contacts":[{"enriched_contact":"#.len());
        assert_eq!(body.matches(&oddity[1..oddity.len() - 5]).count(), 1);
        // Without the added field, the reply is the good one.
        let mended: Value = serde_json::from_str(&body.replace(&oddity[1..oddity.len() - 5], "")).unwrap();
        assert_eq!(contacts(&mended).len(), 5);
        assert!(mended.to_string().len() > good);
    }
    let deep = text(Fault::Deep);
    assert!(deep.contains(&"[".repeat(100_000)) && deep.contains(&"]".repeat(100_000)));
}

#[test]
fn somebody_without_a_single_field_can_be_odd_too() {
    let sandbox = start(Options { match_rate: 0.0, ..Options::default() });
    sandbox.person(FieldType::Email, "a@x.example", "{ }").unwrap();
    sandbox.fail(Fault::BigInt.always());
    let body = String::from_utf8(call(&sandbox, &emails(&["a@x.example"]), &[]).body).unwrap();
    assert!(body.contains(r#"{"big_int":123456789012345678901234567890 }"#), "{body}");
}

#[test]
fn compressed_bodies_and_the_bomb() {
    let packed = answer(Fault::Gzip);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut plain = Vec::new();
    GzDecoder::new(&*packed.body).read_to_end(&mut plain).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap(), good());
    let bomb = answer(Fault::GzipBomb);
    assert!(bomb.body.len() < 2 << 20, "{}", bomb.body.len());
    // Read to the end, so that the checksum and the length are checked, too.
    let unpacked = io::copy(&mut GzDecoder::new(&*bomb.body), &mut io::sink()).unwrap();
    assert_eq!(unpacked, 1 << 30);
}

#[test]
fn a_refused_call_has_no_other_bad_luck() {
    let sandbox = start(Options { credits: Some(4), ..everybody() });
    sandbox.fail(Fault::Garbage.always());
    assert_eq!(call(&sandbox, &emails(&ASKED), &[]).status, 403);
    assert_eq!(sandbox.ledger().credits(), 0);
}
