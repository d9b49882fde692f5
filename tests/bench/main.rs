//! `tests/run --bench`: what each operation of the budgets costs a release build on PostgreSQL.
//!
//! Every measurement ends after a number of requests or some seconds, whichever comes first. Times are printed, never
//! asserted: a machine that is busy is no mistake in the program.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement ends at the first thing that is not as expected"
)]
#![expect(unreachable_pub, reason = "an executable has nobody to reach from")]

#[path = "../it/scene.rs"]
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
mod scene;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with the tests, which use more of it")]
mod support;

mod measure;
mod operations;

use std::time::Instant;

use support::prelude::*;

#[tokio::main]
async fn main() {
    // Counting statements is a matter of the tests, which hold the budgets for them.
    let begun = Instant::now();
    let mut signet = Signet::prepare(Database::Postgres, &[("SIGNET_TEST_COUNT_STATEMENTS", "")]);
    signet.restart().await;
    let first = begun.elapsed();
    let begun = Instant::now();
    signet.restart().await;
    let second = begun.elapsed();
    let memory = measure::memory(&signet);
    println!(
        "\nstart        {:4} ms with migrations, {:4} ms without (budget 300; to the 20 ms)",
        ms(first),
        ms(second)
    );
    println!("idle memory  {memory:4.1} MiB (budget 40)\n");
    println!("{:<44} {:>8} {:>9} {:>12}  budget", "operation", "requests", "a second", "server CPU");
    operations::all(signet).await;
}

fn ms(time: std::time::Duration) -> u128 {
    time.as_millis()
}
