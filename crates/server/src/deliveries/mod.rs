//! Sends what waits in the table of deliveries: takes what is due, tries it, notes what came of it.
//!
//! Every node does it; one that takes a delivery has it for half a minute. What is queued here is tried at once, what
//! another node left when it is due. A try never holds a connection to the database.

mod back_off;
mod backchannel;
mod circuit;

use std::time::Duration;

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use signet_oidc::Turn;
use signet_storage::{
    Origin, StoreError,
    audit::Entry,
    deliveries::{Attempt, Delivery, DeliveryKind},
};
use tokio::{sync::Notify, task::JoinSet};

use self::{back_off::Verdict, circuit::Circuits};
use crate::{app::App, audit::events::EventKind, entropy, telemetry::metrics};

/// So many are tried at a time.
const AT_ONCE: usize = 16;
/// A delivery whose node said nothing is due again after the longest that a try takes, and so long.
const LEASE: chrono::Duration = chrono::Duration::seconds(20);
/// What had to wait for a turn of ours comes again after so long, and up to as long again.
const TURN: chrono::Duration = chrono::Duration::seconds(1);
/// The longest that is added to the time for which a target is left alone.
const SPREAD: chrono::Duration = chrono::Duration::hours(1);
/// How often the table is looked at when nothing was queued here.
const LOOK: Duration = Duration::from_secs(1);

/// What the process knows of deliveries beside the table.
#[derive(Default)]
pub struct Deliveries {
    queued: Notify,
    circuits: Circuits,
}

impl Deliveries {
    /// Something was queued: it is tried at once.
    pub fn wake(&self) {
        self.queued.notify_one();
    }
}

/// Why a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// Another time it may not.
    Passing(String),
    /// It did not come so far: others of ours were before it.
    Ours,
    /// It will always.
    Lasting(String),
}

/// Runs for as long as the process serves.
pub async fn run(app: Data<App>) {
    let mut under_way = JoinSet::new();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        let free = AT_ONCE.saturating_sub(under_way.len());
        let taken = if free == 0 { Ok(Vec::new()) } else { take(&app, free).await };
        let more = match taken {
            Ok(taken) => {
                failing = false;
                let more = taken.len() == free;
                for delivery in taken {
                    under_way.spawn_local(attempt(Data::clone(&app), delivery));
                }
                more
            }
            Err(error) => {
                // Once, not every second.
                if !failing {
                    tracing::warn!(%error, "deliveries could not be taken; they wait");
                }
                failing = true;
                false
            }
        };
        if more && under_way.len() < AT_ONCE {
            continue;
        }
        tokio::select! {
            _ = tick.tick() => {}
            () = app.deliveries.queued.notified() => {}
            Some(_) = under_way.join_next() => {}
        }
    }
}

async fn take(app: &App, free: usize) -> Result<Vec<Delivery>, StoreError> {
    let (now, free) = (entropy::now(), i64::try_from(free).unwrap_or(1));
    let lease = now + longest_try(app) + LEASE;
    app.store.transaction(move |tx| tx.take_deliveries(now, lease, free)).await
}

/// A try takes at most so long: it may read the client's keys before it is sent.
fn longest_try(app: &App) -> chrono::Duration {
    app.config().outbound.timeout.chrono() * 2
}

/// One try, and a word of it in the table.
async fn attempt(app: Data<App>, delivery: Delivery) {
    let (kind, id, tries) = (delivery.kind.as_str(), delivery.id, delivery.attempts);
    let attempt = match tried(&app, &delivery).await {
        Ok(attempt) => attempt,
        Err(error) => {
            tracing::error!(%error, kind, id, "a delivery could not be tried");
            return;
        }
    };
    metrics::delivery(kind, &attempt);
    if let Attempt::Again { problem, .. } | Attempt::GaveUp { problem } = &attempt {
        tracing::warn!(kind, id, tries, client = delivery.client, problem, "a delivery failed");
    }
    if let Err(error) = note(&app, &delivery, attempt).await {
        tracing::warn!(%error, kind, id, "what came of a delivery was not noted; it is tried again");
    }
}

async fn tried(app: &App, delivery: &Delivery) -> Result<Attempt, entropy::NoEntropy> {
    let mut turn = entropy::turn()?;
    let target = match delivery.kind {
        DeliveryKind::BackchannelLogout => backchannel::target(app, delivery).await,
    };
    let target = match target {
        Ok(target) => target,
        Err(failure) => return Ok(judge(delivery, failure, &mut turn)),
    };
    let target_name = target.name();
    let trial = longest_try(app) + LEASE;
    if let Err(until) = app.deliveries.circuits.may_ask(&target_name, turn.now(), trial) {
        // What has waited for long waits longer, so that what waits for one target takes nobody's turn.
        let most = ((turn.now() - delivery.created) / 2).clamp(chrono::Duration::zero(), SPREAD);
        return Ok(Attempt::Held { due: later(until, most, &mut turn) });
    }
    let sent = match delivery.kind {
        DeliveryKind::BackchannelLogout => target.send(app, &mut turn).await,
    };
    if !matches!(sent, Err(Failure::Ours)) {
        let answered = !matches!(sent, Err(Failure::Passing(_)));
        app.deliveries.circuits.note(&target_name, answered, entropy::now());
    }
    Ok(match sent {
        Ok(()) => Attempt::Arrived,
        Err(failure) => judge(delivery, failure, &mut turn),
    })
}

fn judge(delivery: &Delivery, failure: Failure, turn: &mut Turn) -> Attempt {
    match failure {
        Failure::Lasting(problem) => Attempt::GaveUp { problem },
        Failure::Ours => Attempt::Held { due: later(turn.now() + TURN, TURN, turn) },
        Failure::Passing(problem) => match back_off::after(delivery.attempts, turn) {
            Verdict::Again(due) => Attempt::Again { due, problem },
            Verdict::GiveUp => Attempt::GaveUp { problem },
        },
    }
}

/// That moment, or up to `most` later.
fn later(at: DateTime<Utc>, most: chrono::Duration, turn: &mut Turn) -> DateTime<Utc> {
    let [first, second, ..] = turn.bytes::<32>();
    at + most * i32::from(u16::from_be_bytes([first, second])) / i32::from(u16::MAX)
}

/// In one transaction with the audit row of what is given up.
async fn note(app: &App, delivery: &Delivery, attempt: Attempt) -> Result<(), StoreError> {
    let (id, now) = (delivery.id, entropy::now());
    let entry = match &attempt {
        Attempt::GaveUp { .. } => entropy::turn().ok().map(|mut turn| given_up(id, now, &mut turn)),
        _ => None,
    };
    let noted = app.store.transaction(move |tx| {
        tx.note_attempt(id, &attempt, now)?;
        entry.map_or(Ok(()), |entry| tx.audit(entry, &Origin::system()))
    });
    noted.await
}

fn given_up(id: i64, now: DateTime<Utc>, turn: &mut Turn) -> Entry {
    Entry {
        id: turn.uuid(),
        at: now,
        event: EventKind::DeliveryGivenUp.as_str(),
        result: "refused",
        object: Some(format!("delivery:{id}")),
        salt: turn.bytes(),
        ..Entry::default()
    }
}

/// Starts it.
pub fn start(app: &Data<App>) -> tokio::task::JoinHandle<()> {
    actix_web::rt::spawn(run(Data::clone(app)))
}
