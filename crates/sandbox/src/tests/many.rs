//! Many clients at once, and the end of a sandbox.

use super::*;

#[test]
fn two_thousand_connections_wait_at_the_same_time() {
    // Both ends are in this process, and some machines allow it 1,024 descriptors.
    let connections = if descriptors() > 5_000 { 2_000 } else { 200 };
    let sandbox = start(Options { requests_per_minute: None, ..everybody() });
    let body = form(&emails(&["a@x.example"]), &[]);
    let request = format!("{}{body}", head_of(exactbuyer_core::service::limits::PATH, "k", FORM, body.len()));
    let mut streams: Vec<_> =
        (0..connections).map(|_| TcpStream::connect(sandbox.address()).unwrap()).collect();
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(parse(&read_answer(stream).unwrap()).status, 200);
    }
    assert_eq!(sandbox.ledger().most_in_flight(), 1);
    // The same connections again; an hour is long enough for all of them to wait together.
    sandbox.fail(BadLuck { pause: Some(Duration::from_hours(1)), ..Fault::Slow.always() });
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).unwrap();
    }
    while sandbox.ledger().most_in_flight() < connections {
        std::thread::yield_now();
    }
    let ledger = sandbox.ledger();
    assert_eq!((ledger.connections(), ledger.requests().len()), (connections, 2 * connections as usize));
}

/// How many files this process may open; 0 on systems that do not say it here.
fn descriptors() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(0)
}

#[test]
fn dropping_it_disconnects_whoever_waits() {
    let sandbox = start(everybody());
    sandbox.fail(Fault::Hang.always());
    let body = form(&emails(&["a@x.example"]), &[]);
    let mut stream = TcpStream::connect(sandbox.address()).unwrap();
    let request = format!("{}{body}", head_of(exactbuyer_core::service::limits::PATH, "k", FORM, body.len()));
    stream.write_all(request.as_bytes()).unwrap();
    while sandbox.ledger().credits() == 0 {
        std::thread::yield_now();
    }
    let address = sandbox.address();
    drop(sandbox);
    let mut rest = Vec::new();
    // The connections are closed or reset; no client is left waiting.
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_an_error() {
    let sandbox = start(everybody());
    let taken = sandbox.address().port();
    let error = Sandbox::start(Options { port: taken, ..everybody() }).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("port {taken} of this machine")), "{error}");
    assert!(Sandbox::start(Options { match_rate: 1.5, ..everybody() }).is_err());
}

#[test]
fn what_was_waiting_at_a_reset_is_on_no_books() {
    let sandbox = start(Options { credits: Some(10), requests_per_minute: Some(1), ..everybody() });
    let body = form(&emails(&["a@x.example"]), &[]);
    let head = head_of(exactbuyer_core::service::limits::PATH, "k", FORM, body.len());
    let mut stream = TcpStream::connect(sandbox.address()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    while sandbox.ledger().requests().is_empty() {
        std::thread::yield_now();
    }
    sandbox.reset();
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(parse(&read_answer(&mut stream).unwrap()).status, 200);
    let ledger = sandbox.ledger();
    assert_eq!((ledger.credits(), ledger.requests().len(), sandbox.credits_left()), (0, 0, Some(10)));
    // It does not count in the window of the rate limit either.
    assert_eq!(call(&sandbox, &emails(&["a@x.example"]), &[]).status, 200);
    assert_eq!(call(&sandbox, &emails(&["a@x.example"]), &[]).status, 429);
}
