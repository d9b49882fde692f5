//! What is done to the audit log beside requests: rows are linked once a second, expired ones archived once an hour.
//! Every node tries; one at a time does it.

use std::time::Duration;

use actix_web::web::Data;
use signet_storage::{Origin, Store, audit::chain};

use super::Settings;
use crate::{admin, app::App, entropy};

/// Starts it.
pub fn start(app: &Data<App>) -> Vec<tokio::task::JoinHandle<()>> {
    let (writing, linking, archiving) = (app.clone(), app.clone(), app.clone());
    vec![
        actix_web::rt::spawn(async move { writing.audit.run(&writing.store).await }),
        actix_web::rt::spawn(async move { link(&linking.store).await }),
        actix_web::rt::spawn(async move { archive(&archiving).await }),
    ]
}

async fn link(store: &Store) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tick.tick().await;
        match link_all(store).await {
            Ok(_) => failing = false,
            // Once, not every second.
            Err(error) if !failing => {
                tracing::error!(%error, "audit rows were not linked; `signet audit verify` may say why");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

/// Links what waits, batch after batch. Answers how many rows.
pub async fn link_all(store: &Store) -> Result<usize, signet_storage::StoreError> {
    let mut all = 0;
    loop {
        let now = entropy::now();
        let linked = store.transaction(move |tx| tx.seal_audit(now)).await?;
        all += linked;
        if linked < chain::BATCH {
            return Ok(all);
        }
        tokio::task::yield_now().await;
    }
}

async fn archive(app: &App) {
    let mut tick = tokio::time::interval(Duration::from_hours(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let settings = Settings::of(&app.config());
        let before = settings.cutoff(entropy::now());
        match admin::audit::archive_rows(&app.store, &Origin::system(), &settings.archive_dir, before).await {
            Ok(done) if done.rows > 0 => tracing::info!(rows = done.rows, "expired audit rows were archived"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "expired audit rows were not archived; they stay"),
        }
    }
}
