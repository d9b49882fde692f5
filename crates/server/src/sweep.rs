//! What has had its time goes: expired rows, revocations, applications that nobody uses.

use std::time::Duration;

use actix_web::web::Data;
use signet_storage::sweep::{BATCH, CLIENTS, Sweep};

use crate::{admin::AdminError, app::App, entropy};

/// Expired rows and revocations go, once a minute.
pub async fn run(app: Data<App>) {
    let mut tick = tokio::time::interval(Duration::from_mins(1));
    loop {
        tick.tick().await;
        let now = entropy::now();
        app.store.sweep_revocations(now);
        if let Err(error) = app.store.transaction(move |tx| tx.keep_days(now.date_naive())).await {
            tracing::debug!(%error, "the days of spent identifiers wait for the next round");
        }
        for what in Sweep::ALL {
            // Until a batch is short; each is a transaction of its own, so that one that fails holds up no other.
            loop {
                match app.store.transaction(move |tx| tx.sweep(what, now)).await {
                    Ok(BATCH) => tokio::task::yield_now().await,
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(%error, ?what, "expired rows were not swept");
                        break;
                    }
                }
            }
        }
        if let Err(error) = sweep_clients(&app).await {
            tracing::warn!(%error, "clients that nobody uses were not removed");
        }
    }
}

/// Clients that registered themselves go once nobody has used them for as long as the settings say.
async fn sweep_clients(app: &App) -> Result<(), AdminError> {
    loop {
        let mut turn = entropy::turn()?;
        let since = turn.now() - app.config().registration.unused_after.chrono();
        let gone = app.store.transaction(move |tx| tx.sweep_clients(since, &mut turn)).await?;
        if i64::try_from(gone).unwrap_or_default() < CLIENTS {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}
