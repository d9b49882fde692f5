//! `GET` and `POST /register`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_identity::{
    Change, Event, EventKind, SessionId, UserId,
    password::Password,
    registration::{self, Problem, Registration, Taken},
    session::{NewSession, SessionState},
    user::NewUser,
};
use signet_mfa::{Acr, Amr};
use signet_oidc::{Turn, secret::Secret};
use signet_storage::Apply;

use super::{
    PageError, answer, html, html_status,
    interact::{self, Held, PARAMETER, href},
    said::{said, with_logo},
    see_other,
    signin::browser,
    view::{FieldError, Page, Register},
};
use crate::{
    app::App,
    call,
    config::{Config, settings::Accounts},
    entropy,
    guard::{csrf, rate_limits::Limit},
    telemetry::metrics,
};

const PURPOSE: &[&[u8]] = &[b"register"];

fn open_only(app: &App) -> Result<(), PageError> {
    match app.config().accounts() {
        Accounts::Open | Accounts::Domains => Ok(()),
        closed => Err(PageError::RegistrationClosed(closed)),
    }
}

/// where only certain domains may register, an address of another one is refused, whether it has an account or
/// not.
fn foreign(config: &Config, email: &str) -> Option<Problem> {
    let domains = &config.registration.domains;
    let (_, domain) = email.trim().rsplit_once('@')?;
    let mine = domains.iter().any(|one| one.eq_ignore_ascii_case(domain));
    (config.accounts() == Accounts::Domains && !mine).then(|| Problem {
        field: "email",
        message: format!("Registration is open to addresses of {}.", domains.join(", ")),
    })
}

/// Shows the form.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        open_only(&app)?;
        let params = call::read(&http, payload).await?.params;
        let held = interact::open(&app, &http, &params).await?;
        let (browser, fresh) = browser(&app, &http)?;
        let view = view(&app, held.as_ref(), &browser);
        let mut response = with_logo(html(&view)?, &view.said);
        if fresh {
            let _ = response.add_cookie(&app.cookies.set_browser(&browser));
        }
        Ok(response)
    };
    let result = result.await;
    answer(result, &app, &http)
}

fn view(app: &App, held: Option<&Held>, browser: &Secret) -> Register {
    let sealed = held.map(|held| held.sealed.clone()).unwrap_or_default();
    Register {
        page: Page::plain("Create an account", &app.issuer_host),
        csrf: csrf::token(&app.csrf_key, browser, PURPOSE),
        signin_href: href("/signin", &sealed),
        interaction: sealed,
        client_name: held.map(Held::client_name),
        said: held.map(said).unwrap_or_default(),
        username: String::new(),
        email: String::new(),
        errors: Vec::new(),
        min_password: app.passwords.min_length,
    }
}

/// Stores the account, signs it in, and goes on.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        open_only(&app)?;
        csrf::check_site(&http, &app.realm().issuer)?;
        let params = call::read(&http, payload).await?.params;
        let known = app.cookies.browser(&http);
        csrf::check(&app.csrf_key, known.as_ref(), PURPOSE, params.get("csrf"))?;
        app.limit(Limit::Registration, &http).await?;
        params.refuse_repeated(&["username", "email", "password", "csrf", PARAMETER]).map_err(PageError::Parameter)?;
        let held = interact::open(&app, &http, &params).await?;
        let field = |name: &str| params.get(name).unwrap_or_default().to_owned();
        let checked =
            registration::check(&field("username"), &field("email"), Password::new(field("password")), app.passwords);
        let foreign = foreign(&app.config(), &field("email"));
        let checked = match (checked, foreign) {
            (Ok(_), Some(problem)) => Err(vec![problem]),
            (Err(mut problems), Some(problem)) => {
                problems.push(problem);
                Err(problems)
            }
            (checked, None) => checked,
        };
        let stored = match checked {
            Ok(registration) => create(&app, &http, registration).await?.map_err(|taken| vec![taken.problem()]),
            Err(problems) => Err(problems),
        };
        match stored {
            Ok(handle) => {
                metrics::registered();
                let next = held.as_ref().map_or_else(|| "/".to_owned(), |held| held.href("/continue"));
                let mut response = see_other(&next);
                app.cookies.signed_in(&mut response, &handle);
                // The session of somebody else may have ended by it.
                app.deliveries.wake();
                Ok(response)
            }
            Err(problems) => {
                let (browser, _) = browser(&app, &http)?;
                let mut view = view(&app, held.as_ref(), &browser);
                view.username = field("username");
                view.email = field("email");
                view.errors = problems.into_iter().map(field_error).collect();
                Ok(with_logo(html_status(&view, 422), &view.said))
            }
        }
    };
    let result = result.await;
    answer(result, &app, &http)
}

fn field_error(problem: Problem) -> FieldError {
    FieldError { field: problem.field, message: problem.message }
}

/// An account about to be stored, with a fresh key and subject.
pub fn new_user(
    registration: &Registration,
    password: signet_identity::password::PasswordHash,
    turn: &mut Turn,
) -> NewUser {
    NewUser {
        id: UserId(turn.uuid()),
        subject: turn.identifier(),
        username: registration.username.clone(),
        email: registration.email.clone(),
        email_verified: false,
        password,
        administrator: false,
        at: turn.now(),
    }
}

async fn create(
    app: &Data<App>,
    http: &HttpRequest,
    registration: Registration,
) -> Result<Result<Secret, Taken>, PageError> {
    let mut turn = entropy::turn()?;
    let hash = app.hasher.hash(registration.password.clone(), turn.bytes()).await?;
    let user = new_user(&registration, hash, &mut turn);
    let origin = call::origin(http);
    let policy = app.realm().policy.clone();
    let previous = app.cookies.session(http);
    let stored = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let handle = turn.secret();
            let session = NewSession {
                id: SessionId(turn.uuid()),
                handle: *handle.digest().as_bytes(),
                user: user.id,
                // Nothing of a new account was ever ended.
                generation: 0,
                state: SessionState::Full,
                auth_time: now,
                acr: Acr::Single.as_str().to_owned(),
                amr: vec![Amr::Pwd.as_str().to_owned()],
                idle_expires: now + policy.session_idle,
                expires: now + policy.session_absolute,
            };
            let event = Event {
                kind: EventKind::Registered,
                user: Some(user.id),
                session: Some(session.id),
                typed: None,
                detail: None,
            };
            let mut changes = vec![Change::CreateUser(Box::new(user))];
            if let Some(previous) = previous {
                // Whoever was signed in in this browser is not the person who just registered.
                if let Some(session) = tx.session(&previous.digest(), now, now)? {
                    tx.lock_session(session.id)?;
                    changes.push(Change::EndSession { session: SessionId(session.id.0), at: now });
                }
            }
            changes.extend([Change::StartSession(Box::new(session)), Change::Audit(event)]);
            let applied = tx.apply(changes, &mut turn, &origin)?;
            Ok(applied.map(|()| handle))
        })
        .await?;
    Ok(stored)
}
