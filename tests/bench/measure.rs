//! Running an operation many times, and the CPU time that the server takes for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::prelude::*;

/// Requests under way at a time.
pub const WORKERS: usize = 8;
/// The longest that one measurement takes.
const LIMIT: Duration = Duration::from_secs(5);

/// What is measured.
pub struct Operation {
    /// For the person.
    pub name: &'static str,
    /// For the person: the CPU time it may take.
    pub budget: &'static str,
    /// The greatest number of requests.
    pub requests: usize,
}

/// Runs `one` with the numbers of worker and request until one limit is reached; prints a line. Gives the results.
pub async fn run<T>(signet: &Signet, operation: &Operation, one: impl AsyncFn(usize, usize) -> T) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let (begun, before) = (Instant::now(), cpu(signet));
    let workers = (0..WORKERS).map(|worker| {
        let (next, one) = (&next, &one);
        async move {
            let mut done = Vec::new();
            while begun.elapsed() < LIMIT {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= operation.requests {
                    break;
                }
                done.push(one(worker, number).await);
            }
            done
        }
    });
    let done: Vec<T> = join_all(workers).await.into_iter().flatten().collect();
    let (took, cost) = (begun.elapsed(), cpu(signet).saturating_sub(before));
    let count = u32::try_from(done.len().max(1)).expect("few requests");
    let rate = f64::from(count) / took.as_secs_f64();
    let each = (cost / count).as_micros();
    println!("{:<44} {count:>8} {rate:>9.0} {each:>9} µs  {}", operation.name, operation.budget);
    done
}

/// CPU time of all threads of the server since its start, user and system. In steps of 10 ms.
fn cpu(signet: &Signet) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", signet.pid())).expect("a running server");
    // The name in parentheses may hold anything; user and system time are fields 14 and 15, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory in MiB.
pub fn memory(signet: &Signet) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", signet.pid())).expect("a running server");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib / 1024.0
}
