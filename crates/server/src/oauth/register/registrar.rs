//! Bounds of what clients that register themselves take up of a node: others are served meanwhile.

use std::time::Duration;

use signet_oidc::{ErrorCode, OAuthError};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refused;
use crate::{
    admin::{
        Desk,
        clients::{Sectors, Settings},
    },
    oauth::EndpointError,
};

/// So many registrations are written at once.
const WRITING: usize = 2;
/// So many sectors are looked at for them at once.
const FETCHING: usize = 8;
/// Who waits longer for a turn is told to come again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gives turns.
pub struct Registrar {
    writing: Semaphore,
    fetching: Semaphore,
}

impl Default for Registrar {
    fn default() -> Self {
        Self { writing: Semaphore::new(WRITING), fetching: Semaphore::new(FETCHING) }
    }
}

impl Registrar {
    /// A turn to write, until it is dropped.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, OAuthError> {
        turn(&self.writing).await
    }

    /// What is at the address of the sector of a client that is to be so, where it names one anew.
    pub(super) async fn look(
        &self,
        desk: &Desk,
        wanted: &Settings,
        stored: Option<&Settings>,
    ) -> Result<Sectors, EndpointError> {
        if !wanted.names_sector() {
            return Ok(Sectors::default());
        }
        let _turn = turn(&self.fetching).await?;
        Sectors::find(&desk.outbound, wanted, stored).await.map_err(refused)
    }
}

async fn turn(turns: &Semaphore) -> Result<SemaphorePermit<'_>, OAuthError> {
    let turn = tokio::time::timeout(PATIENCE, turns.acquire()).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| {
        OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many clients register at this moment; try again")
    })
}
