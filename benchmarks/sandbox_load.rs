//! How many records a second the sandbox serves on one core, and what one costs it.
//!
//! `cargo bench -p exactbuyer_tests --bench sandbox_load [-- REQUESTS]` runs the server in a process
//! of its own on core 0 and the load on core 1 (by `taskset`, where there is one). Every identifier
//! is new to the server, every call asks for 1,000, 70 % of them are found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use exactbuyer_sandbox::{Options, Sandbox};

const RECORDS: usize = 1_000;
const CONNECTIONS: usize = 8;
const DIGITS: usize = 8;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match arguments.next().as_deref() {
        Some("serve") => serve(),
        Some("load") => {
            let (address, requests) = (arguments.next().unwrap(), arguments.next().unwrap());
            load(&address, requests.parse().unwrap());
        }
        requests => measure(requests.map_or(3_000, |text| text.parse().expect("a number of requests"))),
    }
}

/// Serves until standard input ends.
fn serve() {
    let sandbox = Sandbox::start(Options { requests_per_minute: None, ..Options::default() }).unwrap();
    println!("{}", sandbox.address());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let ledger = sandbox.ledger();
    println!("{} {}", ledger.entries().len(), ledger.credits());
}

/// This program again, on one core.
fn pinned(core: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let has_taskset = Command::new("taskset").arg("-V").stdout(Stdio::null()).status().is_ok();
    if has_taskset {
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(this);
        command
    } else {
        Command::new(this)
    }
}

/// User and system time of a process, where the system says so.
fn cpu_s(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ').skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn measure(requests: usize) {
    let mut server = pinned("0").arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    for round in 1..=3 {
        let (before, started) = (cpu_s(server.id()), Instant::now());
        let load = pinned("1").args(["load", &address, &requests.to_string()]).output().unwrap();
        let elapsed = started.elapsed().as_secs_f64();
        #[allow(clippy::cast_precision_loss)]
        let records = (requests * RECORDS) as f64;
        let cpu = cpu_s(server.id()).zip(before).map(|(after, before)| after - before);
        println!(
            "round {round}: {records} records in {elapsed:.2} s = {:.0} records/s; server CPU {} us a record; {}",
            records / elapsed,
            cpu.map_or("?".to_owned(), |cpu| format!("{:.3}", cpu / records * 1e6)),
            String::from_utf8_lossy(&load.stdout).trim()
        );
    }
    drop(server.stdin.take());
    println!("ledger: {}", lines.next().unwrap().unwrap());
    server.wait().unwrap();
}

/// A form of 1,000 e-mails, and where in it each one's number stands.
fn template() -> (Vec<u8>, Vec<usize>) {
    let entries: Vec<_> = (0..RECORDS)
        .map(|n| format!(r#"{{"field_type": "email", "value": "ana.{n}.########@acme.example"}}"#))
        .collect();
    let list = format!("[{}]", entries.join(", "));
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("query_list", &list).finish();
    let form = form.replace("%23", "#").into_bytes();
    let at = (0..form.len()).filter(|&at| form[at..].starts_with(b"########")).collect();
    (form, at)
}

fn load(address: &str, requests: usize) {
    let next = AtomicUsize::new(0);
    // New identifiers in each process.
    let base = usize::try_from(std::process::id()).unwrap() * 10_000;
    let bytes = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut form, at) = template();
                let head = format!(
                    "POST /v1/bulk-enrich HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\n\
                     Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
                    form.len()
                );
                let mut piece = vec![0_u8; 1 << 20];
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= requests {
                        return;
                    }
                    let number = format!("{:0DIGITS$}", (base + nth) % 100_000_000);
                    for at in &at {
                        form[*at..*at + DIGITS].copy_from_slice(number.as_bytes());
                    }
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(&form).unwrap();
                    bytes.fetch_add(read_answer(&mut stream, &mut piece), Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} bytes a request", bytes.into_inner() / requests);
}

fn read_answer(stream: &mut TcpStream, piece: &mut [u8]) -> usize {
    let mut read = stream.read(piece).unwrap();
    let text = String::from_utf8_lossy(&piece[..read.min(512)]).into_owned();
    assert!(text.starts_with("HTTP/1.1 200"), "{text:.80}");
    let length: usize =
        text.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let total = text.find("\r\n\r\n").unwrap() + 4 + length;
    while read < total {
        read += stream.read(piece).unwrap();
    }
    total
}
