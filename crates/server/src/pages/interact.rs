//! From authorization request to code: sealing, opening and carrying on an interaction.

mod person;
mod step;

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use person::{person, signed_in};
use signet_oidc::{
    ErrorCode, OAuthError, Outcome, Params, Turn,
    authorize::{self, Answered, AuthorizeRequest, Delivery, Facts, Next, Question, Stage},
    client::Client,
    consent::Consented,
    id::InteractionId,
    interaction::{Interaction, Origin, Refusal, SEALED_LIMIT, VERSION},
    jose::Recipient,
    scope::OPENID,
    secret::{Digest, Secret},
    session_state::{browser_state, session_state},
    token::Target,
};
use signet_storage::{Apply, StoreError, seal::Purpose};
pub use step::{Answer, Decision, Step};

use crate::{
    app::App,
    call, entropy,
    guard::csrf::Forged,
    pages::{PageError, deliver, language, see_other, view::Link},
};

/// The parameter that carries an interaction: sealed, or the id of a stored one.
pub const PARAMETER: &str = "interaction";

/// An interaction as it travels.
#[derive(Debug, Clone)]
pub struct Held {
    /// What was opened.
    pub interaction: Interaction,
    /// As it came, to be sent on.
    pub sealed: String,
    /// Who asks, loaded anew.
    pub client: Arc<Client>,
    /// The languages that the browser asks for.
    languages: Vec<String>,
}

impl Held {
    /// What people are shown as the application's name.
    pub fn client_name(&self) -> String {
        self.said("client_name").unwrap_or(&self.client.name).to_owned()
    }

    /// A member of the registration that is for people, in their language (protocol R4).
    pub fn said(&self, member: &str) -> Option<&str> {
        let wanted: Vec<&str> = self.languages.iter().map(String::as_str).collect();
        let metadata = &self.client.metadata;
        let plain = match member {
            "logo_uri" => metadata.logo_uri.as_deref(),
            "policy_uri" => metadata.policy_uri.as_deref(),
            "tos_uri" => metadata.tos_uri.as_deref(),
            _ => None,
        };
        metadata.in_language(member, &wanted).or(plain)
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
async fn begin(
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
    let sealed = app.store.sealer().seal(Purpose::Interaction, b"", &plain, turn.bytes()).map_err(StoreError::from)?;
    let fresh = known.is_none().then_some(browser);
    let text = URL_SAFE_NO_PAD.encode(&sealed);
    if text.len() <= SEALED_LIMIT {
        return Ok((text, fresh));
    }
    app.limit_costly(http).await?;
    let expires = interaction.expires;
    app.store.transaction(move |tx| tx.hold_interaction(id, &sealed, expires)).await?;
    Ok((id.to_string(), fresh))
}

/// Opens the interaction of a request. `Ok(None)` when there is none: a plain sign-in.
pub async fn open(app: &App, http: &HttpRequest, params: &Params) -> Result<Option<Held>, PageError> {
    let Some(text) = params.get(PARAMETER) else { return Ok(None) };
    let stored = text.parse().map(InteractionId).ok().filter(|_| text.len() == 36);
    let (sealed, spent) = match stored {
        Some(id) => {
            let (sealed, spent) = app.store.read(move |tx| tx.held_interaction(id)).await?;
            (sealed.ok_or(Refusal::Expired)?, Some(spent))
        }
        None => (URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Invalid)?, None),
    };
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
    if let Some(refusal) = refusal {
        return Err(over(refusal, &interaction, &client));
    }
    Ok(Some(Held { interaction, sealed: text.to_owned(), client, languages: language::wanted(http) }))
}

/// A refusal with the way back: the application's own address, where it has one on the web.
fn over(refusal: Refusal, interaction: &Interaction, client: &Client) -> PageError {
    let origin = url::Url::parse(&interaction.request.redirect_uri).ok().map(|url| url.origin());
    match origin {
        Some(origin) if origin.is_tuple() => {
            let label = format!("Go back to {}", client.name);
            PageError::Over(refusal, Link { href: origin.ascii_serialization(), label })
        }
        _ => refusal.into(),
    }
}

enum Decided {
    Next(Result<Next, OAuthError>),
    Completed,
    Forged,
}

impl Decided {
    /// What was applied may have met something that was spent: the request object, which the application is told, or the
    /// interaction.
    fn of(applied: Result<(), OAuthError>, verdict: Result<Next, OAuthError>) -> Self {
        match applied {
            Ok(()) => Self::Next(verdict),
            Err(error) if error.code == ErrorCode::InvalidRequestObject => Self::Next(Err(error)),
            Err(_) => Self::Completed,
        }
    }
}

/// Decides what comes next for a request, applies it, and sends the person there. One transaction at most.
pub async fn proceed(
    app: &Data<App>,
    http: &HttpRequest,
    (request, client): (AuthorizeRequest, Arc<Client>),
    step: Step,
) -> Result<HttpResponse, PageError> {
    let mut turn = entropy::turn()?;
    let handle = app.cookies.session(http);
    let origin = call::origin(http);
    let browser = app.cookies.browser(http);
    let delivery = request.delivery(&app.realm());
    let (held, answer) = step.parts();
    let sealed = held.as_ref().map(|(_, sealed)| sealed.clone());
    let (asked, user) = (request.clone(), Arc::clone(&client));

    // Without a key for what is to be encrypted nothing is given, and nothing spent.
    let encryption = client.metadata.id_token_encryption().filter(|_| handle.is_some() && asked.response_type.id_token);
    let recipient = match app.key_sets.recipient(&client, encryption, Instant::now()).await {
        Ok(recipient) => recipient,
        Err(error) => return leave(app, http, delivery.error(&error)),
    };

    let decided = if let Some(handle) = handle {
        let shared = app.clone();
        let interaction = held.map(|(interaction, _)| interaction);
        let (decided, back) = app
            .store
            .transaction(move |tx| {
                let now = turn.now();
                let session = signed_in(tx, &handle, &request, (now, now + shared.realm().policy.session_idle))?;
                let mut consented = Consented::default();
                if let Some(session) = &session
                    && !client.first_party
                {
                    consented = tx.consent(session.account.id, client.key)?;
                }
                let mut stage = Stage::Arrived;
                if let Some(interaction) = &interaction {
                    let mut answered = Answered::Nothing;
                    if let (Some(answer), Some(session)) = (&answer, &session) {
                        let purpose = answer.decision.purpose(interaction, session);
                        let parts: Vec<&[u8]> = purpose.iter().map(Vec::as_slice).collect();
                        let sent = Some(&*answer.token);
                        if crate::guard::csrf::check(&shared.csrf_key, browser.as_ref(), &parts, sent).is_err() {
                            return Ok((Decided::Forged, turn));
                        }
                        answered = match answer.decision {
                            Decision::Continue => Answered::Account,
                            Decision::Allow => Answered::Consent,
                            Decision::Deny => {
                                let outcome = authorize::consent_denied(
                                    interaction.id,
                                    interaction.expires,
                                    &request,
                                    &client,
                                    session,
                                );
                                let applied = tx.apply(outcome.changes, &mut turn, &origin)?;
                                return Ok((Decided::of(applied, outcome.verdict), turn));
                            }
                        };
                    }
                    stage = Stage::Interacting {
                        id: interaction.id,
                        started: interaction.started,
                        expires: interaction.expires,
                        answered,
                    };
                }
                let roles = match &session {
                    Some(session) => shared.roles_for(tx, &client, session.account.id)?,
                    None => Vec::new(),
                };
                let person = person(tx, (&request, &client), session.as_ref(), &roles)?;
                let target = if request.response_type.token && session.is_some() {
                    shared.target(tx, &client, (Vec::new(), &request.resources))?
                } else {
                    Target::default()
                };
                let facts = Facts {
                    client: &client,
                    session,
                    roles: &roles,
                    consented,
                    stage,
                    person,
                    target: &target,
                    sid_key: &shared.sid_key,
                    pairwise_key: &shared.pairwise_key,
                };
                let Outcome { changes, verdict } = authorize::decide(&request, &facts, &shared.realm(), &mut turn);
                let applied = tx.apply(changes, &mut turn, &origin)?;
                Ok((Decided::of(applied, verdict), turn))
            })
            .await?;
        turn = back;
        decided
    } else {
        Decided::Next(unknown_person(app, (&request, &client), held, &mut turn))
    };

    if matches!(decided, Decided::Next(Ok(Next::Deliver { .. }))) {
        app.note_use(&user);
    }
    respond(app, http, decided, (asked, delivery, sealed), (recipient, &mut turn)).await
}

/// Decides where nobody is signed in: nothing to load, nothing to write.
fn unknown_person(
    app: &App,
    (request, client): (&AuthorizeRequest, &Client),
    held: Option<(Interaction, String)>,
    turn: &mut Turn,
) -> Result<Next, OAuthError> {
    let stage = held.map_or(Stage::Arrived, |(interaction, _)| Stage::Interacting {
        id: interaction.id,
        started: interaction.started,
        expires: interaction.expires,
        answered: Answered::Nothing,
    });
    let facts = Facts {
        client,
        session: None,
        roles: &[],
        consented: Consented::default(),
        stage,
        person: None,
        target: &Target::default(),
        sid_key: &app.sid_key,
        pairwise_key: &app.pairwise_key,
    };
    authorize::decide(request, &facts, &app.realm(), turn).verdict
}

/// Shows the page that is asked for, or sends the person back.
async fn respond(
    app: &App,
    http: &HttpRequest,
    decided: Decided,
    (asked, delivery, sealed): (AuthorizeRequest, Delivery, Option<String>),
    (recipient, turn): (Option<Recipient>, &mut Turn),
) -> Result<HttpResponse, PageError> {
    match decided {
        Decided::Forged => Err(Forged.into()),
        Decided::Completed => Err(Refusal::Completed.into()),
        Decided::Next(Err(error)) => leave(app, http, delivery.error(&error)),
        Decided::Next(Ok(Next::Deliver { delivery, issue, session })) => {
            // Signing follows the commit.
            let issued = app.signed(|keys| issue.sign(keys, recipient.as_ref())).await?;
            let parameters = issued.parameters();
            let mut pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            // OIDC Session Management §2: for requests of OpenID Connect.
            let state = browser_state(session, &app.sid_key);
            let compared = asked
                .scopes
                .contains(OPENID)
                .then(|| session_state(asked.client_id.as_str(), &asked.redirect_uri, &state, &turn.identifier()));
            let compared = compared.flatten();
            pairs.extend(compared.as_deref().map(|value| ("session_state", value)));
            let known = app.cookies.state(http).is_some_and(|known| known.expose() == state);
            let mut response = leave(app, http, delivery.answer(&pairs))?;
            if !known {
                let _ = response.add_cookie(&app.cookies.set_state(state));
            }
            Ok(response)
        }
        Decided::Next(Ok(Next::Ask(question))) => {
            let (sealed, fresh) = match sealed {
                Some(sealed) => (sealed, None),
                None => begin(app, http, asked, turn).await?,
            };
            let path = match question {
                Question::SignIn => "/signin",
                Question::Register => "/register",
                Question::Account => "/select-account",
                Question::Consent => "/consent",
                Question::NoAccess => "/no-access",
            };
            let mut response = see_other(&href(path, &sealed));
            if let Some(browser) = fresh {
                let _ = response.add_cookie(&app.cookies.set_browser(&browser));
            }
            Ok(response)
        }
    }
}

/// To the application. The browser's cookie is set again: at that, browsers drop the pages that they keep whole for the
/// way back, and ask us, who say that the sign-in is completed.
pub(super) fn leave(app: &App, http: &HttpRequest, answer: authorize::Answer) -> Result<HttpResponse, PageError> {
    let mut response = deliver::send(app, answer)?;
    if let Some(browser) = app.cookies.browser(http) {
        let _ = response.add_cookie(&app.cookies.set_browser(&browser));
    }
    Ok(response)
}

/// `GET /continue`: after sign-in or registration, on to consent or back to the application.
pub async fn get(app: Data<App>, http: HttpRequest, payload: actix_web::web::Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(held) = open(&app, &http, &params).await? else { return Ok(see_other("/")) };
        let request = held.interaction.request.clone();
        proceed(&app, &http, (request, held.client), Step::Returned(held.interaction, held.sealed)).await
    };
    let result = result.await;
    crate::pages::answer(result, &app, &http)
}
