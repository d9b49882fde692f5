//! What comes next for a request: sign-in, consent, or the answer.

use chrono::{DateTime, Duration, Utc};

use super::{
    checks,
    request::{AuthorizeRequest, Prompt},
    response::Delivery,
};
use crate::{
    change::{Change, Event, EventKind, EventResult, NewGrant, Outcome, Spent},
    client::{Client, is_local_redirect},
    consent::Consented,
    error::{ErrorCode, OAuthError},
    grant::{Confirmation, Grant, GrantKind, GrantState},
    id::{GrantId, InteractionId, SessionId},
    realm::Realm,
    scope::OFFLINE_ACCESS,
    secret::{DerivationKey, Digest},
    subject::{Person, Session},
    token::{Issue, Target},
    turn::Turn,
};

/// What the person just said on one of our pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Nothing yet.
    Nothing,
    /// To go on with the account that is signed in.
    Account,
    /// To allow what the application asks for, with the account that is signed in.
    Consent,
}

/// How far the person has come.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// The request just arrived; no page was shown.
    Arrived,
    /// The person is on our pages.
    Interacting {
        /// The interaction's id, spent when the code is issued.
        id: InteractionId,
        /// When the request arrived.
        started: DateTime<Utc>,
        /// Until when the interaction lives.
        expires: DateTime<Utc>,
        /// What the person just said.
        answered: Answered,
    },
}

/// What was loaded.
pub struct Facts<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// The browser's session, if full and alive.
    pub session: Option<Session>,
    /// The names of the person's roles, inherited ones included; only where the client asks for them.
    pub roles: &'a [String],
    /// What the person allowed this client before.
    pub consented: Consented,
    /// How far the person has come.
    pub stage: Stage,
    /// Who is signed in, where the ID token of this answer says something of the person: see [`wants_person`].
    pub person: Option<Person>,
    /// The APIs an access token of this answer is for.
    pub target: &'a Target,
    /// Makes `sid` values.
    pub sid_key: &'a DerivationKey,
    /// Makes pairwise subjects.
    pub pairwise_key: &'a DerivationKey,
}

/// A page that must be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Sign in.
    SignIn,
    /// Register.
    Register,
    /// Choose an account: the one that is signed in, or another.
    Account,
    /// Agree.
    Consent,
    /// Learn that this application is for others.
    NoAccess,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// Show a page.
    Ask(Question),
    /// Send the person back with what was asked for.
    Deliver {
        /// Where to.
        delivery: Delivery,
        /// What to sign and send.
        issue: Box<Issue>,
        /// The session it is given under.
        session: SessionId,
    },
}

/// Decides on a request. An error goes to the client through [`delivery`].
pub fn decide(request: &AuthorizeRequest, facts: &Facts<'_>, realm: &Realm, turn: &mut Turn) -> Outcome<Change, Next> {
    let silent = request.prompt.has(Prompt::None);
    let registers = request.prompt.has(Prompt::Create) && realm.registration_open;
    let ask = |question: Question, code: ErrorCode, description: &'static str| Outcome {
        changes: Vec::new(),
        verdict: if silent { Err(OAuthError::new(code, description)) } else { Ok(Next::Ask(question)) },
    };
    let Some(session) = facts.session.as_ref().filter(|session| session.account.active) else {
        let question = if registers { Question::Register } else { Question::SignIn };
        return ask(question, ErrorCode::LoginRequired, "the person is not signed in");
    };
    if !sign_in_is_fresh(request, session, facts.stage, turn.now()) {
        let question = match facts.stage {
            Stage::Arrived if registers => Question::Register,
            _ => Question::SignIn,
        };
        return ask(question, ErrorCode::LoginRequired, "the person must sign in again");
    }
    if !account_is_chosen(request, session, facts.stage) {
        return ask(Question::Account, ErrorCode::AccountSelectionRequired, "the person must choose an account");
    }
    if let Err(error) = still_permitted(request, facts.client) {
        return Outcome::refuse(error);
    }
    let subject = facts.client.subject_of(&session.account, facts.pairwise_key);
    if !request.expected_subjects.is_empty() && !request.expected_subjects.contains(&subject) {
        return ask(Question::SignIn, ErrorCode::LoginRequired, "someone else is signed in");
    }
    if !facts.client.admits(facts.roles) {
        let turned_away = ask(Question::NoAccess, ErrorCode::AccessDenied, "the person may not use this application");
        return Outcome { changes: vec![no_access(facts.client, session)], ..turned_away };
    }
    if request.acr.essential && !request.acr.values.contains(&session.acr) {
        // OIDC Core §5.5.1.1: no factor of this person reaches it.
        let text = "the authentication context asked for cannot be reached";
        return Outcome::refuse(OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, text));
    }
    let just_consented = matches!(facts.stage, Stage::Interacting { answered: Answered::Consent, .. });
    if !just_consented && needs_consent(request, facts.client, &facts.consented) {
        return ask(Question::Consent, ErrorCode::ConsentRequired, "the person has not agreed yet");
    }
    issue(request, facts, (session, subject), (realm, turn), just_consented)
}

/// Protocol A4, R-47: what the registration allowed when the request came, and may not any more.
fn still_permitted(request: &AuthorizeRequest, client: &Client) -> Result<(), OAuthError> {
    checks::registered_for(client, request.response_type)?;
    checks::challenged_where_required(client, request.response_type, request.challenge.as_ref())?;
    if request.resources.iter().any(|resource| !client.may_use_resource(resource)) {
        let text = "resource is not one this client may ask for";
        return Err(OAuthError::new(ErrorCode::InvalidTarget, text));
    }
    Ok(())
}

/// Whether the answer to a request holds an ID token that says something of the person.
pub fn wants_person(request: &AuthorizeRequest, client: &Client) -> bool {
    let asked = request.response_type;
    let alone = !asked.code && !asked.token;
    asked.id_token && (alone || !request.claims.id_token.is_empty() || !client.metadata.claims.is_empty())
}

/// Whether the person signed in since the request began.
fn just_signed_in(session: &Session, stage: Stage) -> bool {
    matches!(stage, Stage::Interacting { started, .. } if session.auth_time >= started)
}

/// OIDC Core §3.1.2.1: `prompt=login` and `max_age` are met by a sign-in since the request began.
fn sign_in_is_fresh(request: &AuthorizeRequest, session: &Session, stage: Stage, now: DateTime<Utc>) -> bool {
    if just_signed_in(session, stage) {
        return true;
    }
    let again = [Prompt::Login, Prompt::Create].iter().any(|prompt| request.prompt.has(*prompt));
    let too_old = request
        .max_age
        .is_some_and(|seconds| seconds == 0 || now - session.auth_time > Duration::seconds(i64::from(seconds)));
    !again && !too_old
}

/// OIDC Core §3.1.2.1: `prompt=select_account` is met by a sign-in since the request began, or by going on with the account
/// that is signed in, which whoever agrees with it does too.
fn account_is_chosen(request: &AuthorizeRequest, session: &Session, stage: Stage) -> bool {
    let answered = matches!(stage, Stage::Interacting { answered: Answered::Account | Answered::Consent, .. });
    !request.prompt.has(Prompt::SelectAccount) || answered || just_signed_in(session, stage)
}

/// Protocol A16: asked once; about a client on the person's own machine that anybody there can be, every time.
pub fn needs_consent(request: &AuthorizeRequest, client: &Client, consented: &Consented) -> bool {
    if request.prompt.has(Prompt::Consent) {
        return true;
    }
    if client.first_party {
        return false;
    }
    // What comes straight from here is nobody's secret to collect, whoever the client is.
    let straight = request.response_type.token || request.response_type.id_token;
    let impersonable = (client.is_public() || straight) && is_local_redirect(&request.redirect_uri);
    impersonable || !consented.covers(&Consented::asked_by(request, client)) || consented.is_empty()
}

fn issue(
    request: &AuthorizeRequest,
    facts: &Facts<'_>,
    (session, subject): (&Session, String),
    (realm, turn): (&Realm, &mut Turn),
    just_consented: bool,
) -> Outcome<Change, Next> {
    let now = turn.now();
    let asked = request.response_type;
    let code = asked.code.then(|| turn.secret());
    let sid = facts.sid_key.text(&[session.id.0.as_bytes(), facts.client.id.as_str().as_bytes()]);
    let grant = Grant {
        id: GrantId(turn.uuid()),
        kind: if asked.code { GrantKind::AuthorizationCode } else { GrantKind::Implicit },
        client: facts.client.key,
        account: session.account.id,
        subject,
        session: Some(session.id),
        sid: Some(sid),
        scopes: request.scopes.clone(),
        resources: request.resources.clone(),
        claims: request.claims.clone(),
        redirect_uri: request.redirect_uri.clone(),
        redirect_uri_sent: request.redirect_uri_sent,
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
        auth_time: session.auth_time,
        acr: session.acr.clone(),
        amr: session.amr.clone(),
        offline: asked.code && request.scopes.contains(OFFLINE_ACCESS),
        confirmation: Confirmation::None,
        state: GrantState::Active,
    };
    let mut changes = Vec::new();
    if let Stage::Interacting { id, expires, .. } = facts.stage {
        changes.push(Change::SpendInteraction {
            interaction: id,
            expires,
            on_conflict: OAuthError::invalid_request("this sign-in is already completed"),
        });
    }
    changes.extend(spent_object(request));
    if just_consented {
        changes.push(Change::RememberConsent {
            account: session.account.id,
            client: facts.client.key,
            allowed: Consented::asked_by(request, facts.client),
            at: now,
        });
    }
    let kind = match (just_consented, asked.code) {
        (true, _) => EventKind::ConsentGiven,
        (false, true) => EventKind::CodeIssued,
        (false, false) => EventKind::TokensIssued,
    };
    changes.push(Change::Audit(Event::of_grant(kind, EventResult::Success, &grant)));
    let issue = Issue::new(facts.client, &grant, (&grant.scopes, facts.target), &session.account, (realm, turn))
        .with_nonce(&grant);
    let new = NewGrant {
        code: code.as_ref().map(|code| (code.digest(), now + realm.policy.code_lifetime)),
        access_until: asked.token.then_some(now + facts.target.apis.lifetime(realm.policy.access_token_lifetime)),
        refresh_until: None,
        at: now,
        grant,
        generation: session.account.generation,
    };
    let mut issue = issue.for_response_type(asked, code);
    if let Some(person) = &facts.person {
        issue = issue.with_person(facts.client, &new.grant, person);
    }
    let issue = Box::new(issue);
    changes.push(Change::IssueGrant(Box::new(new)));
    Outcome { changes, verdict: Ok(Next::Deliver { delivery: request.delivery(realm), issue, session: session.id }) }
}

/// RFC 7519 §4.1.7: the request object of a request that is answered, where it counts once.
fn spent_object(request: &AuthorizeRequest) -> Option<Change> {
    let once = request.once.as_ref()?;
    Some(Change::Spend {
        what: Spent::RequestObject { client: request.client_id.clone(), jti: Digest::of(once.jti.as_bytes()) },
        expires: once.until,
        on_conflict: OAuthError::new(ErrorCode::InvalidRequestObject, "the request object was used before"),
    })
}

/// a person without a role that the client is limited to came to use it.
fn no_access(client: &Client, session: &Session) -> Change {
    Change::Audit(Event {
        kind: EventKind::AccessRefused,
        result: EventResult::Refused,
        account: Some(session.account.id),
        client: Some(client.key),
        session: Some(session.id),
        grant: None,
        detail: None,
    })
}

/// the person goes back without access: `access_denied` goes to the client, the interaction is spent.
pub fn turned_away(id: InteractionId, expires: DateTime<Utc>, request: &AuthorizeRequest) -> Outcome<Change, Next> {
    let spend = Change::SpendInteraction {
        interaction: id,
        expires,
        on_conflict: OAuthError::invalid_request("this sign-in is already completed"),
    };
    let verdict = Err(OAuthError::new(ErrorCode::AccessDenied, "the person may not use this application"));
    Outcome { changes: [spend].into_iter().chain(spent_object(request)).collect(), verdict }
}

/// The person refused: `access_denied` goes to the client, the interaction is spent.
pub fn consent_denied(
    id: InteractionId,
    expires: DateTime<Utc>,
    request: &AuthorizeRequest,
    client: &Client,
    session: &Session,
) -> Outcome<Change, Next> {
    let event = Event {
        kind: EventKind::ConsentDenied,
        result: EventResult::Refused,
        account: Some(session.account.id),
        client: Some(client.key),
        session: Some(session.id),
        grant: None,
        detail: None,
    };
    let spend = Change::SpendInteraction {
        interaction: id,
        expires,
        on_conflict: OAuthError::invalid_request("this sign-in is already completed"),
    };
    Outcome {
        changes: [spend].into_iter().chain(spent_object(request)).chain([Change::Audit(event)]).collect(),
        verdict: Err(OAuthError::new(ErrorCode::AccessDenied, "the person refused")),
    }
}

impl AuthorizeRequest {
    /// Where this request's answer goes.
    pub fn delivery(&self, realm: &Realm) -> Delivery {
        Delivery {
            mode: self.response_mode,
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            issuer: realm.issuer.clone(),
        }
    }
}
