//! What is measured when `/metrics` is asked for.

use std::time::Duration;

use metrics::{counter, gauge};
use signet_oidc::jose::KeyState;

use super::{Telemetry, metrics as names, process::Process};
use crate::{app::App, channel::RedisState, entropy};

/// How long the database may take; without an answer the gauges it knows stay as they were.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sets every gauge, and the counters that are counted elsewhere.
pub async fn gauges(app: &App, telemetry: &Telemetry, ready: bool) {
    if ready {
        stored(app).await;
    }
    gauge!(names::READY).set(if ready { 1.0 } else { 0.0 });
    gauge!(names::BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    process(telemetry);
    let hashing = app.hasher.load();
    gauge!(names::HASH_QUEUE).set(number(hashing.queued));
    gauge!(names::HASH_QUEUE_LIMIT).set(number(hashing.limit));
    gauge!(names::AUDIT_QUEUE).set(number(app.audit.len()));
    store(app);
    channel(app);
}

/// What the database knows: two statements.
async fn stored(app: &App) {
    let work = app.store.read(|tx| Ok((tx.audit_unsealed()?, tx.key_infos()?)));
    let Ok(Ok((unsealed, keys))) = tokio::time::timeout(PATIENCE, work).await else { return };
    gauge!(names::AUDIT_UNSEALED).set(u64::try_from(unsealed).map_or(0.0, whole));
    let now = entropy::now();
    for key in keys.iter().filter(|key| key.state == KeyState::Active) {
        let age = (now - key.changed).to_std().unwrap_or_default();
        gauge!(names::KEY_AGE, "alg" => key.alg.as_str()).set(age.as_secs_f64());
    }
}

fn process(telemetry: &Telemetry) {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    gauge!(names::PROCESS_START).set(telemetry.started.timestamp_millis() as f64 / 1000.0);
    let process = Process::read();
    for (name, value) in [
        (names::PROCESS_MEMORY, process.memory),
        (names::PROCESS_FDS, process.files),
        (names::PROCESS_THREADS, process.threads),
    ] {
        if let Some(value) = value {
            gauge!(name).set(whole(value));
        }
    }
}

fn store(app: &App) {
    let load = app.store.load();
    gauge!(names::DB_CONNECTIONS, "state" => "idle").set(f64::from(load.idle));
    gauge!(names::DB_CONNECTIONS, "state" => "busy").set(f64::from(load.busy));
    gauge!(names::DB_WAITING).set(whole(load.waiting));
    // Counters are whole numbers; what is lost is below a second.
    counter!(names::DB_WAIT).absolute(load.waited.as_secs());
    counter!(names::DB_TIMEOUTS).absolute(load.timeouts);
    counter!(names::DB_ERRORS, "kind" => "lost").absolute(load.lost);
    counter!(names::DB_ERRORS, "kind" => "statement").absolute(load.failed);
}

fn channel(app: &App) {
    let state = app.channel.state(&app.store);
    gauge!(names::REVOCATIONS).set(number(state.revocations));
    if let Some(age) = app.store.feed_age().filter(|_| state.last_read_ms.is_some()) {
        gauge!(names::CHANNEL_AGE).set(age.as_secs_f64());
    }
    match state.redis {
        RedisState::Off => {}
        RedisState::Connected => gauge!(names::REDIS_UP).set(1.0),
        RedisState::Away { .. } => gauge!(names::REDIS_UP).set(0.0),
    }
    let counts =
        [("sent", state.sent), ("received", state.received), ("carried", state.carried), ("dropped", state.dropped)];
    for (kind, count) in counts {
        counter!(names::NOTICES, "result" => kind).absolute(count);
    }
}

fn number(value: usize) -> f64 {
    u64::try_from(value).map_or(f64::MAX, whole)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; above 2^53 nobody counts single items")]
fn whole(value: u64) -> f64 {
    value as f64
}
