//! Bytes that do not belong on the socket of the embedded database, while requests run.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::agent::Target;
use super::ledger::check_all;
use super::traffic::Traffic;
use crate::support::prelude::*;

/// A client of the database that asks for what traps the engine: start-up packet and query.
fn trap() -> Vec<u8> {
    let mut start = vec![0, 3, 0, 0];
    start.extend(b"user\0postgres\0database\0postgres\0\0");
    let mut bytes = packet(None, &start);
    bytes.extend(packet(Some(b'Q'), b"SELECT repeat('[', 20000)::jsonb\0"));
    bytes
}

/// A message of the PostgreSQL protocol.
fn packet(kind: Option<u8>, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).expect("a short message");
    let mut bytes: Vec<u8> = kind.into_iter().collect();
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    bytes
}

/// whoever queues up on the socket with garbage, or with what traps the engine, disturbs no request; the stop
/// is clean although the engine meets them then, and nothing is lost.
#[tokio::test]
async fn garbage_and_traps_in_the_queue_cost_nothing() {
    let mut signet = Signet::start(Database::Embedded).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let mut people = Vec::new();
    for round in 0..4 {
        let traffic = Traffic::start(&signet, &client);
        traffic.acknowledged(5).await;
        let socket = signet.data_dir().join("run/pg/.s.PGSQL.5432");
        let mut hostile = Vec::new();
        for bytes in [vec![b'?', 0, 0, 0, 0, 0xff, 0xff], vec![0xff; 8], trap(), vec![0; 64]] {
            let mut stream = UnixStream::connect(&socket).expect("a place in the queue");
            stream.write_all(&bytes).expect("bytes sent");
            hostile.push(stream);
        }
        // Each round another one is the first in the queue.
        hostile.drain(..round);
        traffic.acknowledged(40).await;
        let progress = traffic.target.progress.clone();
        let mut crowd = traffic.finish().await;
        assert_eq!(progress.gone.load(Ordering::Relaxed), 0, "every request was answered");
        let unavailable = progress.unavailable.load(Ordering::Relaxed);

        let from = Instant::now();
        let status = signet.terminate().await;
        println!("round {round}: {unavailable} answers of 503, stopped within {:?}", from.elapsed());
        assert_eq!(status.code(), Some(0), "{}", signet.output());
        drop(hostile);
        signet.restart().await;
        people.append(&mut crowd);
        let target = Target::new(&signet, &client);
        check_all(&mut people, &target).await;
    }
}
