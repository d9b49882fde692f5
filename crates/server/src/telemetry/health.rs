//! Whether this process lives (`/healthz`) and whether it should be sent requests (`/readyz`).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use signet_storage::{bootstrap::Schema, pool::Engine};
use tokio::sync::Mutex;

use crate::{
    app::App,
    channel::{ChannelState, RedisState},
};

/// A report is repeated for this long, so that asking for it cannot be used to load the database.
const FRESH: Duration = Duration::from_secs(1);

/// How long a database server may take to answer.
const SERVER_PATIENCE: Duration = Duration::from_secs(1);
/// The engine in this process has one connection, which others use too.
const ENGINE_PATIENCE: Duration = Duration::from_secs(3);

/// In which part of its life the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The database is not open yet.
    Starting,
    /// Requests are served.
    Serving,
    /// A signal was received: requests are still served, and should go elsewhere.
    Stopping,
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Requests are answered rightly, perhaps later.
    Degraded,
    /// Requests cannot be answered.
    Failed,
}

/// A part of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Component {
    /// How it is.
    pub status: State,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
}

impl Component {
    const OK: Self = Self { status: State::Ok, message: None };

    const fn degraded(message: &'static str) -> Self {
        Self { status: State::Degraded, message: Some(message) }
    }

    const fn failed(message: &'static str) -> Self {
        Self { status: State::Failed, message: Some(message) }
    }
}

/// Ready or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Send requests.
    Ready,
    /// Send none.
    NotReady,
}

/// What `/readyz` answers. Words of ours only: no address, no message of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// Ready unless a component failed.
    pub status: Readiness,
    /// Every part by name.
    pub components: BTreeMap<&'static str, Component>,
}

impl Report {
    fn new(components: impl IntoIterator<Item = (&'static str, Component)>) -> Self {
        let components: BTreeMap<_, _> = components.into_iter().collect();
        let failed = components.values().any(|component| component.status == State::Failed);
        Self { status: if failed { Readiness::NotReady } else { Readiness::Ready }, components }
    }

    /// Whether requests should be sent.
    pub fn is_ready(&self) -> bool {
        self.status == Readiness::Ready
    }
}

/// The health of this process.
#[derive(Debug)]
pub struct Health {
    phase: AtomicU8,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Default for Health {
    fn default() -> Self {
        Self { phase: AtomicU8::new(Phase::Starting as u8), last: Mutex::new(None) }
    }
}

impl Health {
    /// The process enters another part of its life.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u8
    }

    /// The report, at most a second old. Whoever asks while it is made waits for it.
    pub async fn report(&self, app: Option<&App>) -> Arc<Report> {
        if self.is(Phase::Stopping) {
            return Arc::new(Report::new([("server", Component::failed("the server is stopping"))]));
        }
        let Some(app) = app.filter(|_| self.is(Phase::Serving)) else {
            return Arc::new(Report::new([("server", Component::failed("the server is starting"))]));
        };
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Arc::clone(report);
        }
        let report = Arc::new(look(app).await);
        *last = Some((Instant::now(), Arc::clone(&report)));
        report
    }
}

async fn look(app: &App) -> Report {
    let (database, schema) = database(app).await;
    let state = app.channel.state(&app.store);
    let parts = [
        ("server", Component::OK),
        ("database", database),
        ("schema", schema),
        ("keys", keys(app)),
        ("change_channel", channel(&state, app.store.engine())),
        ("password_hashing", hashing(app)),
    ];
    Report::new(parts.into_iter().chain(redis(&state).map(|redis| ("redis", redis))))
}

/// One statement answers for the database and for the schema.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
async fn database(app: &App) -> (Component, Component) {
    let patience = if app.store.engine() == Engine::Embedded { ENGINE_PATIENCE } else { SERVER_PATIENCE };
    let unknown = Component::degraded("not known while the database does not answer");
    match tokio::time::timeout(patience, app.store.read(|tx| tx.schema_state())).await {
        Ok(Ok(Schema::Current)) => (Component::OK, Component::OK),
        Ok(Ok(Schema::Behind | Schema::Empty)) => {
            (Component::OK, Component::failed("the schema is behind this version: run `signet migrate`"))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "the database failed the readiness check");
            (Component::failed("the database does not answer"), unknown)
        }
        Err(_) => (Component::failed("the database does not answer in time"), unknown),
    }
}

fn keys(app: &App) -> Component {
    let any = app.published().keyring.jwks().get("keys").and_then(|keys| keys.as_array().map(|keys| !keys.is_empty()));
    if any == Some(true) { Component::OK } else { Component::failed("there is no signing key") }
}

/// A silent channel does not make a node unfit: it then asks the database about every token.
fn channel(state: &ChannelState, engine: Engine) -> Component {
    if engine == Engine::Server && state.last_read_ms.is_none() {
        Component::failed("what is revoked was not read yet")
    } else if state.silent {
        Component::degraded("not read for more than five seconds: every token is checked in the database")
    } else {
        Component::OK
    }
}

/// Without Redis nodes hear of each other through the database.
fn redis(state: &ChannelState) -> Option<Component> {
    match state.redis {
        RedisState::Off => None,
        RedisState::Connected => Some(Component::OK),
        RedisState::Away { .. } => {
            Some(Component::degraded("it does not answer: nodes hear of each other through the database"))
        }
    }
}

/// A full queue refuses sign-ins with 503; tokens are issued and checked as ever, so the node stays ready.
fn hashing(app: &App) -> Component {
    let load = app.hasher.load();
    if load.queued >= load.limit {
        Component::degraded("the queue is full: sign-ins are answered 503 for now")
    } else {
        Component::OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what failed makes a node unfit, what is degraded does not.
    #[test]
    fn what_makes_a_node_unfit() {
        for (component, ready) in
            [(Component::OK, true), (Component::degraded("slow"), true), (Component::failed("gone"), false)]
        {
            let report = Report::new([("server", Component::OK), ("database", component)]);
            assert_eq!(report.is_ready(), ready, "{report:?}");
        }
        let report = Report::new([("database", Component::failed("gone"))]);
        assert_eq!(
            serde_json::to_value(&report).unwrap(),
            serde_json::json!({
                "status": "not_ready", "components": { "database": { "status": "failed", "message": "gone" } },
            })
        );
    }

    /// a silent channel and a Redis that is away are told, and keep nobody away.
    #[test]
    fn what_the_channel_says() {
        let away = RedisState::Away { since: chrono::DateTime::UNIX_EPOCH };
        let state = |last_read_ms, silent, redis| ChannelState {
            last_read_ms,
            silent,
            revocations: 0,
            redis,
            sent: 0,
            received: 0,
            carried: 0,
            dropped: 0,
        };
        for (state, engine, shown) in [
            (state(Some(10), false, RedisState::Off), Engine::Server, (State::Ok, None)),
            (state(Some(9000), true, RedisState::Connected), Engine::Server, (State::Degraded, Some(State::Ok))),
            (state(Some(10), false, away), Engine::Server, (State::Ok, Some(State::Degraded))),
            (state(None, true, RedisState::Off), Engine::Server, (State::Failed, None)),
            (state(None, false, RedisState::Off), Engine::Embedded, (State::Ok, None)),
        ] {
            assert_eq!((channel(&state, engine).status, redis(&state).map(|redis| redis.status)), shown, "{state:?}");
        }
    }

    /// not ready before the database is open, nor once a stop is asked for.
    #[actix_web::test]
    async fn not_ready_at_both_ends() {
        let health = Health::default();
        assert!(!health.report(None).await.is_ready());
        health.enter(Phase::Serving);
        assert!(!health.report(None).await.is_ready());
        health.enter(Phase::Stopping);
        let report = health.report(None).await;
        assert_eq!(report.components["server"].message, Some("the server is stopping"));
    }
}
