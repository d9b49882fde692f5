//! What a browser carries for us from one request to the next: sealed in an address, or stored where that is too long.

use actix_web::HttpRequest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use signet_oidc::{Turn, id::InteractionId, interaction::SEALED_LIMIT};
use signet_storage::{StoreError, seal::Purpose};

use super::PageError;
use crate::app::App;

/// Seals `plain` and answers what stands for it in an address. What is stored is kept under `id` until `expires`.
pub async fn carry(
    app: &App,
    http: &HttpRequest,
    (purpose, plain): (Purpose, &[u8]),
    (id, expires): (InteractionId, DateTime<Utc>),
    turn: &mut Turn,
) -> Result<String, PageError> {
    let sealed = app.store.sealer().seal(purpose, b"", plain, turn.bytes()).map_err(StoreError::from)?;
    let text = URL_SAFE_NO_PAD.encode(&sealed);
    if text.len() <= SEALED_LIMIT {
        return Ok(text);
    }
    app.limit_costly(http).await?;
    app.store.transaction(move |tx| tx.hold_interaction(id, &sealed, expires)).await?;
    Ok(id.to_string())
}

/// The sealed value that stands behind this in an address, and of one that is stored whether its id was spent.
pub async fn carried(app: &App, text: &str) -> Result<(Option<Vec<u8>>, Option<bool>), StoreError> {
    match text.parse().map(InteractionId).ok().filter(|_| text.len() == 36) {
        Some(id) => {
            let (sealed, spent) = app.store.read(move |tx| tx.held_interaction(id)).await?;
            Ok((sealed, Some(spent)))
        }
        None => Ok((URL_SAFE_NO_PAD.decode(text).ok(), None)),
    }
}
