//! Members that are addresses, and names for people in further languages.

use url::Url;

use super::{Wrong, language, wrong};
use crate::client::{Client, ClientSource, ISSUER, has_plain_host, is_loopback_host, is_name};

/// Absolute, and https unless on this machine.
pub(super) fn address(member: &'static str, value: Option<&str>) -> Result<(), Wrong> {
    let Some(value) = value else { return Ok(()) };
    let good = value.len() <= 2_000
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(value).is_ok_and(|url| {
            let private = !url.username().is_empty() || url.password().is_some();
            !private
                && has_plain_host(&url)
                && (url.scheme() == "https" || url.scheme() == "http" && is_loopback_host(&url))
        });
    if good { Ok(()) } else { wrong(member, format!("{value:?}: use an https address.")) }
}

pub(super) fn addresses_are_addresses(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    for (member, value) in [
        ("jwks_uri", &metadata.jwks_uri),
        ("sector_identifier_uri", &metadata.sector_identifier_uri),
        ("initiate_login_uri", &metadata.initiate_login_uri),
        ("client_uri", &metadata.client_uri),
        ("logo_uri", &metadata.logo_uri),
        ("policy_uri", &metadata.policy_uri),
        ("tos_uri", &metadata.tos_uri),
        ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
        ("frontchannel_logout_uri", &metadata.frontchannel_logout_uri),
    ] {
        address(member, value.as_deref())?;
    }
    Ok(())
}

/// OIDC Core §4: a third party sends people there, over https; to an administrator's client on this machine also while it is
/// being made. What is sent along must not come twice.
pub(super) fn initiation_is_sent_well(client: &Client) -> Result<(), Wrong> {
    const MEMBER: &str = "initiate_login_uri";
    let Some(url) = client.metadata.initiate_login_uri.as_ref().and_then(|uri| Url::parse(uri).ok()) else {
        return Ok(());
    };
    if url.scheme() != "https" && client.source != ClientSource::Admin {
        return wrong(MEMBER, "Use an https address.");
    }
    if url.query_pairs().any(|(name, _)| name == ISSUER) {
        return wrong(MEMBER, "Leave iss out of the query: it is added.");
    }
    Ok(())
}

/// Back-Channel Logout §2.2, Front-Channel Logout §2: without a fragment; what a frame shows is of the application's own
/// origin; what a session is required for has an address.
pub(super) fn logout_addresses(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    for (member, value) in [
        ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
        ("frontchannel_logout_uri", &metadata.frontchannel_logout_uri),
    ] {
        if value.as_ref().is_some_and(|value| value.contains('#')) {
            return wrong(member, "Leave the fragment out.");
        }
    }
    let origin = |uri: &String| Url::parse(uri).ok().map(|url| url.origin());
    match &metadata.frontchannel_logout_uri {
        Some(uri) if !client.redirect_uris.iter().any(|known| origin(known) == origin(uri)) => wrong(
            "frontchannel_logout_uri",
            "Use an address with the scheme, host and port of one of the redirect URIs.",
        ),
        _ => Ok(()),
    }
}

/// OIDC Registration §2, §2.1: a name that people may be shown; a member's name and a language tag, with a value that the
/// member may have.
pub(super) fn languages(client: &Client) -> Result<(), Wrong> {
    const NAME: &str = "Use 1 to 200 characters, none that control or turn the text around them.";
    if !is_name(&client.name) {
        return wrong("client_name", NAME);
    }
    for (name, value) in &client.metadata.localized {
        let Some((member, tag)) = language::split(name) else {
            return wrong("localized", format!("Only {} come in several languages.", language::HUMAN.join(", ")));
        };
        if !language::is_tag(tag) {
            return wrong(member, "Behind the # stands a language tag such as de or pt-BR.");
        }
        if member != "client_name" {
            address(member, Some(value))?;
        } else if !is_name(value) {
            return wrong(member, NAME);
        }
    }
    Ok(())
}
