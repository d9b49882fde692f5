//! From authorization request to code: sealing, opening and carrying on an interaction.

mod held;
mod person;
mod step;

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use held::begin;
pub use held::{Held, href, open};
use person::{person, signed_in};
use signet_oidc::{
    ErrorCode, OAuthError, Outcome, Turn,
    authorize::{self, Answered, AuthorizeRequest, Delivery, Facts, Next, Question, Stage},
    client::Client,
    consent::Consented,
    interaction::{Interaction, Refusal},
    jose::Recipient,
    scope::OPENID,
    session_state::{browser_state, session_state},
    token::Target,
};
use signet_storage::Apply;
use step::Answer;
pub use step::{Decision, Step};

use crate::{
    app::App,
    call, entropy,
    guard::csrf::{self, Forged},
    pages::{PageError, deliver, see_other},
};

/// The parameter that carries an interaction: sealed, or the id of a stored one.
pub const PARAMETER: &str = "interaction";

/// Takes what a page that asks was answered, one of `decisions`, and goes on from there.
pub async fn answered(
    app: &Data<App>,
    http: &HttpRequest,
    payload: Payload,
    decisions: &[Decision],
) -> Result<HttpResponse, PageError> {
    csrf::check_site(http, &app.realm().issuer)?;
    let params = call::read(http, payload).await?.params;
    params.refuse_repeated(&["decision", "csrf", PARAMETER]).map_err(PageError::Parameter)?;
    let Some(held) = open(app, http, &params).await? else { return Err(Refusal::Invalid.into()) };
    let decision = decisions.iter().find(|one| params.get("decision") == Some(one.as_str()));
    let Some(decision) = decision.copied() else {
        let expected = "decision must be what a button of this page sends";
        return Err(PageError::Parameter(OAuthError::invalid_request(expected)));
    };
    let Some(token) = params.get("csrf").map(str::to_owned) else { return Err(Forged.into()) };
    let request = held.interaction.request.clone();
    let step = Step::Answered(held.interaction, held.sealed, Answer { decision, token });
    proceed(app, http, (request, held.client), step).await
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

    let (decided, nobody) = if let Some(handle) = handle {
        let shared = app.clone();
        let interaction = held.map(|(interaction, _)| interaction);
        let (decided, nobody, back) = app
            .store
            .transaction(move |tx| {
                let now = turn.now();
                let session = signed_in(tx, &handle, &request, (now, now + shared.realm().policy.session_idle))?;
                let consented = match &session {
                    Some(session) if !client.first_party => tx.consent(session.account.id, client.key)?,
                    _ => Consented::default(),
                };
                let mut stage = Stage::Arrived;
                if let Some(interaction) = &interaction {
                    let mut answered = Answered::Nothing;
                    if let (Some(answer), Some(session)) = (&answer, &session) {
                        let purpose = answer.decision.purpose(interaction, session);
                        let parts: Vec<&[u8]> = purpose.iter().map(Vec::as_slice).collect();
                        let sent = Some(&*answer.token);
                        if csrf::check(&shared.csrf_key, browser.as_ref(), &parts, sent).is_err() {
                            return Ok((Decided::Forged, false, turn));
                        }
                        answered = match answer.decision {
                            Decision::Continue => Answered::Account,
                            Decision::Allow => Answered::Consent,
                            Decision::Deny | Decision::Back => {
                                let (id, expires) = (interaction.id, interaction.expires);
                                let outcome = if answer.decision == Decision::Back {
                                    authorize::turned_away(id, expires, &request)
                                } else {
                                    authorize::consent_denied(id, expires, &request, &client, session)
                                };
                                let applied = tx.apply(outcome.changes, &mut turn, &origin)?;
                                return Ok((Decided::of(applied, outcome.verdict), false, turn));
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
                let nobody = session.is_none();
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
                Ok((Decided::of(applied, verdict), nobody, turn))
            })
            .await?;
        turn = back;
        (decided, nobody)
    } else {
        (Decided::Next(unknown_person(app, (&request, &client), held, &mut turn)), true)
    };

    if matches!(decided, Decided::Next(Ok(Next::Deliver { .. }))) {
        app.note_use(&user);
    }
    let mut response = respond(app, http, decided, (asked, delivery, sealed), (recipient, &mut turn)).await?;
    if nobody {
        app.cookies.found_nobody(http, &mut response);
    }
    Ok(response)
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
