//! OIDC Back-Channel Logout: a client is told, by its registered address, that a person's session ended (protocol L2).

use std::{sync::Arc, time::Instant};

use signet_oidc::{Turn, client::Client, logout::back_channel::Ended};
use signet_storage::deliveries::Delivery;
use url::Url;

use super::Failure;
use crate::{app::App, outbound::FetchError};

/// Whom to tell what.
pub(super) struct Target {
    client: Arc<Client>,
    address: String,
    origin: String,
    ended: Ended,
}

/// The client of a delivery as it is registered now.
pub(super) async fn target(app: &App, delivery: &Delivery) -> Result<Target, Failure> {
    let gone = || Failure::Lasting("the client is not there, or not told in the back channel, any more".to_owned());
    let id = delivery.client.as_deref().ok_or_else(gone)?;
    let client = app.client(id).await.map_err(|_| Failure::Passing("the client could not be loaded".to_owned()))?;
    let client = client.filter(|client| !client.disabled).ok_or_else(gone)?;
    let address = client.metadata.backchannel_logout_uri.clone().ok_or_else(gone)?;
    let origin = Url::parse(&address).map_err(|_| gone())?.origin().ascii_serialization();
    let ended =
        Ended::read(&delivery.content).ok_or_else(|| Failure::Lasting("what is stored is unreadable".into()))?;
    Ok(Target { client, address, origin, ended })
}

impl Target {
    /// By what its circuit is known. An address is anybody's to register: one client's circuit is not another's.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.client.id, self.origin)
    }

    /// OIDC Back-Channel Logout §2.5: posts a logout token that is made now. 200 and 204 are success.
    pub(super) async fn send(&self, app: &App, turn: &mut Turn) -> Result<(), Failure> {
        let encryption = self.client.metadata.id_token_encryption();
        let recipient = app.key_sets.recipient(&self.client, encryption, Instant::now()).await;
        let recipient = recipient.map_err(|_| Failure::Passing("the client's encryption key cannot be had".into()))?;
        let (jti, now, realm) = (turn.secret(), turn.now(), app.realm());
        let token = app
            .signed(|keys| self.ended.token(&self.client, (&realm, now), &jti, (keys, recipient.as_ref())))
            .await
            .map_err(|error| Failure::Passing(format!("no logout token could be made: {error}")))?;
        match app.outbound.post(&self.address, &[("logout_token", &token)]).await {
            Ok(200..=299) => Ok(()),
            // It understood, and will not; or it is elsewhere, where nothing is sent. Others may be the weather before it.
            Ok(status @ 300..=400) => Err(Failure::Lasting(format!("the answer has status {status}"))),
            Ok(status) => Err(Failure::Passing(format!("the answer has status {status}"))),
            Err(FetchError::Busy) => Err(Failure::Ours),
            Err(error) => Err(Failure::Passing(error.to_string())),
        }
    }
}
