//! Sectors of pairwise subjects (OIDC Registration §5): what is at their addresses is looked at before the transaction, and
//! what was found is asked again in it.

use signet_oidc::{
    client::ClientSource,
    registration::{Sector, Wrong},
};
use url::Url;

use super::{Settings, parse};
use crate::{
    admin::{AdminError, Desk},
    outbound::Outbound,
};

/// What was found at the addresses of sectors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sectors(Vec<Sector>);

const MEMBER: &str = "sector_identifier_uri";

fn wrong(Wrong { member, message }: Wrong) -> AdminError {
    AdminError::invalid("invalid_client_metadata", member, message)
}

/// What is at the address of a sector. Why nothing could be read there is for the log (protocol O1).
pub(crate) async fn fetch(outbound: &Outbound, uri: &str) -> Result<Sector, Wrong> {
    let fetched = outbound.get(uri, "application/json").await.map_err(|error| {
        let host = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        tracing::warn!(host, %error, "the document of a sector was not read");
        Wrong { member: MEMBER, message: "What is there cannot be fetched.".to_owned() }
    })?;
    Sector::read(uri, &fetched.body)
}

impl Sectors {
    /// Looks at the sector of a client that is to be as `wanted`, where that is not what is `stored`.
    pub(crate) async fn find(
        outbound: &Result<std::sync::Arc<Outbound>, String>,
        wanted: &Settings,
        stored: Option<&Settings>,
    ) -> Result<Self, AdminError> {
        let mut found = Self::default();
        found.add(outbound, wanted, stored).await?;
        Ok(found)
    }

    /// The same for one more client.
    pub(crate) async fn add(
        &mut self,
        outbound: &Result<std::sync::Arc<Outbound>, String>,
        wanted: &Settings,
        stored: Option<&Settings>,
    ) -> Result<(), AdminError> {
        let Some((uri, _)) = wanted.sector().filter(|sector| asked(*sector, stored)) else { return Ok(()) };
        if !self.0.iter().any(|known| known.uri == uri) {
            let cannot = |error: &String| AdminError::invalid("invalid_client_metadata", MEMBER, error.clone());
            self.0.push(fetch(outbound.as_ref().map_err(cannot)?, uri).await.map_err(wrong)?);
        }
        self.confirm(wanted, stored)
    }

    /// Whether the sector of such a client was looked at, where it has to be, and lists what it must.
    pub(crate) fn confirm(&self, wanted: &Settings, stored: Option<&Settings>) -> Result<(), AdminError> {
        let Some((uri, redirect_uris)) = wanted.sector().filter(|sector| asked(*sector, stored)) else { return Ok(()) };
        match self.0.iter().find(|known| known.uri == uri) {
            Some(sector) => sector.check(redirect_uris).map_err(wrong),
            None => Err(AdminError::conflict(
                "changed_meanwhile",
                "Somebody else changed the client meanwhile. Read it again and repeat the change.",
            )),
        }
    }
}

/// Whether somebody has to look: what is stored was looked at before.
fn asked(sector: (&str, &[String]), stored: Option<&Settings>) -> bool {
    stored.and_then(Settings::sector) != Some(sector)
}

/// The sector of a client that is to be changed to what `change` makes of it. What is wrong with the change is told
/// later.
pub(super) async fn of_change(
    desk: &Desk,
    client_id: &str,
    change: &super::ClientChange,
) -> Result<Sectors, AdminError> {
    if change.redirect_uris.is_none() && !change.members.contains_key(MEMBER) {
        return Ok(Sectors::default());
    }
    let id = parse(client_id)?;
    let Some(record) = desk.store.read(move |tx| tx.client_record(&id)).await? else { return Ok(Sectors::default()) };
    let stored = Settings::of(&record.client);
    let wanted = stored.clone().with(change.clone()).and_then(|s| s.check(&desk.realm, &record.client.source));
    match wanted {
        Ok(wanted) => Sectors::find(&desk.outbound, &wanted, Some(&stored)).await,
        Err(_) => Ok(Sectors::default()),
    }
}

/// Adds the sector of a client that is to be as a file says. What is wrong with the file is told later.
pub(crate) async fn of_entry(desk: &Desk, found: &mut Sectors, new: super::NewClient) -> Result<(), AdminError> {
    if !new.members.contains_key(MEMBER) {
        return Ok(());
    }
    let Some(id) = new.client_id.as_deref().and_then(signet_oidc::id::ClientId::parse) else { return Ok(()) };
    let record = desk.store.read(move |tx| tx.client_record(&id)).await?;
    let source = record.as_ref().map_or(ClientSource::Admin, |record| record.client.source.clone());
    let stored = record.map(|record| Settings::of(&record.client));
    match Settings::of_new(new).and_then(|settings| settings.check(&desk.realm, &source)) {
        Ok(wanted) => found.add(&desk.outbound, &wanted, stored.as_ref()).await,
        Err(_) => Ok(()),
    }
}
