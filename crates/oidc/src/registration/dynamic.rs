//! What holds of clients that registered themselves, whoever changes them later (OIDC Registration §2; state.md): they stay
//! third parties, and nothing of theirs looks like more.

use url::Url;

use super::{Check, Wrong, wrong};
use crate::{
    client::{ApplicationType, Client, ClientSource, GRANT_IMPLICIT, is_loopback_host},
    scope::{STANDARD, Scopes},
};

/// In this order, for clients that registered themselves alone.
const CHECKS: [Check; 2] = [they_stay_third_parties, redirect_uris_fit_the_application];

pub(super) fn check(client: &Client) -> Result<(), Wrong> {
    if client.source == ClientSource::Dynamic { CHECKS.iter().try_for_each(|check| check(client)) } else { Ok(()) }
}

/// Protocol R2: the scopes that such a client may be given, of those it wants.
pub(super) fn ceiling(wanted: &Scopes) -> Scopes {
    wanted.intersection(&STANDARD.iter().map(|(name, _)| *name).collect())
}

/// It is given nothing that an administrator answers for.
fn they_stay_third_parties(client: &Client) -> Result<(), Wrong> {
    const OWN: &str = "A client that registered itself cannot have it. Make a client of your own for that.";
    let metadata = &client.metadata;
    if client.first_party {
        return wrong("first_party", "A client that registered itself stays a third party.");
    }
    if ceiling(&client.scopes) != client.scopes {
        return wrong("scope", "A client that registered itself may ask for the standard scopes only.");
    }
    for (member, given) in [
        ("default_audience", client.default_audience.is_some()),
        ("resources", !metadata.resources.is_empty()),
        ("access_roles", !metadata.access_roles.is_empty()),
        ("claims", !metadata.claims.is_empty()),
    ] {
        if given {
            return wrong(member, OWN);
        }
    }
    Ok(())
}

/// OIDC Registration §2 `application_type`: https for web clients, for the implicit grant never on this machine; a
/// private-use scheme or loopback http for native ones.
fn redirect_uris_fit_the_application(client: &Client) -> Result<(), Wrong> {
    let implicit = client.may_use_grant(GRANT_IMPLICIT);
    for uri in &client.redirect_uris {
        let Ok(url) = Url::parse(uri) else { return wrong("redirect_uris", format!("{uri}: use an absolute URI.")) };
        let local = is_loopback_host(&url);
        match (client.application_type, url.scheme()) {
            (ApplicationType::Web, "https") if implicit && local => {
                return wrong("redirect_uris", format!("{uri}: the implicit grant does not lead to localhost."));
            }
            (ApplicationType::Web, "http") if implicit => {
                return wrong("redirect_uris", format!("{uri}: with the implicit grant use https."));
            }
            (ApplicationType::Web, "https" | "http") => {}
            (ApplicationType::Web, _) => {
                let message = format!("{uri}: a web client uses https; with application_type native it may be so.");
                return wrong("redirect_uris", message);
            }
            (ApplicationType::Native, "https") => {
                let message = format!("{uri}: a native client uses a private-use scheme, or http on loopback.");
                return wrong("redirect_uris", message);
            }
            (ApplicationType::Native, _) => {}
        }
    }
    Ok(())
}
