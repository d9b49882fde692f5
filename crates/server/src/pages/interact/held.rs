//! Interactions as they travel: sealed in the browser's hands, or stored where they are too long.

use std::sync::Arc;

use actix_web::HttpRequest;
use signet_oidc::{
    Params, Turn,
    authorize::AuthorizeRequest,
    client::Client,
    id::InteractionId,
    interaction::{Interaction, Origin, Refusal, VERSION},
    secret::{Digest, Secret},
};
use signet_storage::{StoreError, seal::Purpose};

use super::PARAMETER;
use crate::{
    app::App,
    entropy,
    pages::{
        PageError,
        carried::{carried, carry},
        language,
        view::Link,
    },
};

/// An interaction as it travels.
#[derive(Debug, Clone)]
pub struct Held {
    /// What was opened.
    pub interaction: Interaction,
    /// As it came, to be sent on.
    pub sealed: String,
    /// Who asks, loaded anew.
    pub client: Arc<Client>,
    /// The languages that people are told in, the most wanted first.
    languages: Vec<String>,
}

impl Held {
    /// What people are shown as the application's name.
    pub fn client_name(&self) -> String {
        self.said("client_name").unwrap_or(&self.client.name).to_owned()
    }

    /// A member of the registration that is for people, in their language (protocol R4).
    pub fn said(&self, member: &str) -> Option<&str> {
        let metadata = &self.client.metadata;
        let plain = match member {
            "logo_uri" => metadata.logo_uri.as_deref(),
            "policy_uri" => metadata.policy_uri.as_deref(),
            "tos_uri" => metadata.tos_uri.as_deref(),
            _ => None,
        };
        metadata.in_language(member, &self.languages).or(plain)
    }

    /// The path of a page with this interaction.
    pub fn href(&self, path: &str) -> String {
        href(path, &self.sealed)
    }
}

/// The path of a page with an interaction; the bare path without one.
pub fn href(path: &str, sealed: &str) -> String {
    if sealed.is_empty() { path.to_owned() } else { format!("{path}?{PARAMETER}={sealed}") }
}

/// Seals a new interaction for this browser, setting its cookie where it has none.
pub(super) async fn begin(
    app: &App,
    http: &HttpRequest,
    request: AuthorizeRequest,
    turn: &mut Turn,
) -> Result<(String, Option<Secret>), PageError> {
    let known = app.cookies.browser(http);
    let browser = known.clone().unwrap_or_else(|| turn.secret());
    let id = InteractionId(turn.uuid());
    let interaction = Interaction {
        version: VERSION,
        id,
        origin: Origin::Redirect,
        request,
        started: turn.now(),
        expires: turn.now() + app.realm().policy.interaction_lifetime,
        browser: Digest::of(browser.expose().as_bytes()).to_text(),
    };
    let plain = serde_json::to_vec(&interaction).map_err(|_| StoreError::Row("interaction"))?;
    let kept = (id, interaction.expires);
    let text = carry(app, http, (Purpose::Interaction, &plain), kept, turn).await?;
    Ok((text, known.is_none().then_some(browser)))
}

/// Opens the interaction of a request. `Ok(None)` when there is none: a plain sign-in.
pub async fn open(app: &App, http: &HttpRequest, params: &Params) -> Result<Option<Held>, PageError> {
    let Some(text) = params.get(PARAMETER) else { return Ok(None) };
    let (sealed, spent) = carried(app, text).await?;
    let sealed = sealed.ok_or(if spent.is_some() { Refusal::Expired } else { Refusal::Invalid })?;
    let plain = app.store.sealer().open(Purpose::Interaction, b"", &sealed).map_err(|_| Refusal::Invalid)?;
    let interaction: Interaction = serde_json::from_slice(&plain).map_err(|_| Refusal::Invalid)?;
    let browser = app.cookies.browser(http);
    let mut refusal = interaction.check(browser.as_ref().map(Secret::expose), entropy::now()).err();
    if refusal.is_none() {
        let id = interaction.id;
        let spent = match spent {
            Some(spent) => spent,
            None => app.store.read(move |tx| tx.held_interaction(id)).await?.1,
        };
        refusal = spent.then_some(Refusal::Completed);
    }
    let client = app.client(interaction.request.client_id.as_str()).await?;
    // Client and redirect URI are loaded anew: either may have been withdrawn meanwhile.
    let client = client
        .filter(|client| !client.disabled && client.accepts_redirect(&interaction.request.redirect_uri))
        .ok_or(Refusal::Invalid)?;
    let languages = language::wanted(http, &interaction.request.ui_locales);
    let held = Held { interaction, sealed: text.to_owned(), client, languages };
    match refusal {
        Some(refusal) => Err(over(refusal, &held)),
        None => Ok(Some(held)),
    }
}

/// A refusal with the way back: the application's own address, where it has one on the web.
fn over(refusal: Refusal, held: &Held) -> PageError {
    let origin = url::Url::parse(&held.interaction.request.redirect_uri).ok().map(|url| url.origin());
    match origin {
        Some(origin) if origin.is_tuple() => {
            let label = format!("Go back to {}", held.client_name());
            PageError::Over(refusal, Link { href: origin.ascii_serialization(), label })
        }
        _ => refusal.into(),
    }
}
