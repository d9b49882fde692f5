//! `GET` and `POST /account/applications`: what the person allowed applications, and the way to withdraw it.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use chrono::{DateTime, Utc};
use signet_oidc::{
    OAuthError,
    consent::{self, Withdrawal},
    secret::Secret,
    subject::Session,
};
use signet_storage::{Apply, consents::GivenConsent, resources::Resource};

use crate::{
    app::App,
    call, entropy,
    guard::csrf::{self, Forged},
    pages::{
        PageError, answer,
        consent::{allowed, named},
        html, language, see_other, sign_in,
        signin::browser,
        view::{Application, Applications, Page},
    },
};

const PATH: &str = "/account/applications";
/// How many are shown at a time.
const SHOWN: usize = 100;

/// What a post is bound to: the session and account that saw the page, and the application whose button was pressed.
fn purpose(session: &Session, client_id: &str) -> [Vec<u8>; 4] {
    [
        b"withdraw".to_vec(),
        session.id.0.as_bytes().to_vec(),
        session.account.id.0.as_bytes().to_vec(),
        client_id.as_bytes().to_vec(),
    ]
}

fn parts(purpose: &[Vec<u8>; 4]) -> Vec<&[u8]> {
    purpose.iter().map(Vec::as_slice).collect()
}

/// Lists them.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(handle) = app.cookies.session(&http) else { return Ok(sign_in(&app, &http, "/signin")) };
        let after = params.get("after").unwrap_or_default().to_owned();
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let found = app
            .store
            .transaction(move |tx| {
                let Some(session) = tx.session(&handle.digest(), now, idle)? else { return Ok(None) };
                // One more than is shown tells that there are more.
                let given = tx.consents_of(session.account.id, &after, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX))?;
                let about = given.iter().flat_map(|one| named(&one.allowed.resources, one.default_audience.as_ref()));
                let apis = tx.resources_named(&about.collect::<Vec<_>>())?;
                Ok(Some((session, given, apis)))
            })
            .await?;
        let Some((session, given, apis)) = found else { return Ok(sign_in(&app, &http, "/signin")) };
        let (browser, fresh) = browser(&app, &http)?;
        let mut view = view(&app, (&session, &apis), given, (&browser, &language::wanted(&http, &[])));
        view.withdrawn = params.get("done") == Some("withdrawn");
        let mut response = html(&view)?;
        if fresh {
            let _ = response.add_cookie(&app.cookies.set_browser(&browser));
        }
        Ok(response)
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

fn view(
    app: &App,
    (session, apis): (&Session, &[Resource]),
    mut given: Vec<GivenConsent>,
    (browser, languages): (&Secret, &[String]),
) -> Applications {
    let more = given.len() > SHOWN;
    given.truncate(SHOWN);
    let next = given.last().filter(|_| more).map(|last| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("after", &last.client_id).finish();
        format!("{PATH}?{query}")
    });
    let own_api = app.realm().api_audience();
    let application = |one: GivenConsent| Application {
        csrf: csrf::token(&app.csrf_key, browser, &parts(&purpose(session, &one.client_id))),
        scopes: {
            let about = named(&one.allowed.resources, one.default_audience.as_ref());
            let apis: Vec<_> = apis.iter().filter(|api| about.contains(&api.identifier)).cloned().collect();
            let administers = about.contains(&own_api);
            allowed(&one.allowed, administers, &apis)
        },
        since: day(one.given_at),
        since_machine: one.given_at.format("%Y-%m-%d").to_string(),
        unverified: !one.verified,
        off: one.disabled,
        client_id: one.client_id,
        name: one.metadata.in_language("client_name", languages).unwrap_or(&one.client_name).to_owned(),
    };
    let mut applications: Vec<_> = given.into_iter().map(application).collect();
    applications.sort_by_cached_key(|one| one.name.to_lowercase());
    Applications {
        page: Page::plain("Applications you allowed", &app.issuer_host),
        account: session.username.clone(),
        withdrawn: false,
        applications,
        next_href: next,
    }
}

/// A day as people write it.
fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y").to_string()
}

/// Withdraws what one application was allowed, and ends what it was given.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        csrf::check_site(&http, &app.realm().issuer)?;
        let params = call::read(&http, payload).await?.params;
        params.refuse_repeated(&["client_id", "csrf"]).map_err(PageError::Parameter)?;
        let missing = || PageError::Parameter(OAuthError::invalid_request("client_id is missing"));
        let client_id = params.get("client_id").ok_or_else(missing)?.to_owned();
        let sent = params.get("csrf").map(str::to_owned);
        let Some(handle) = app.cookies.session(&http) else { return Ok(sign_in(&app, &http, "/signin")) };
        let client = app.client(&client_id).await?;
        let known = app.cookies.browser(&http);
        let (mut turn, origin) = (entropy::turn()?, call::origin(&http));
        let shared = app.clone();
        let done = app
            .store
            .transaction(move |tx| {
                let now = turn.now();
                let session = tx.session(&handle.digest(), now, now + shared.realm().policy.session_idle)?;
                let Some(session) = session else { return Ok(Done::SignedOut) };
                let purpose = purpose(&session, &client_id);
                if csrf::check(&shared.csrf_key, known.as_ref(), &parts(&purpose), sent.as_deref()).is_err() {
                    return Ok(Done::Forged);
                }
                let Some(client) = client else { return Ok(Done::Nothing) };
                let account = session.account.id;
                let remembered = tx.lock_consent(account, client.key)?;
                let what = Withdrawal { account, client: client.key, session: Some(session.id), remembered };
                let changes = consent::withdraw(what, now);
                let done = if changes.is_empty() { Done::Nothing } else { Done::Withdrawn };
                let _ = tx.apply(changes, &mut turn, &origin)?;
                Ok(done)
            })
            .await?;
        match done {
            Done::SignedOut => Ok(sign_in(&app, &http, "/signin")),
            Done::Forged => Err(Forged.into()),
            Done::Nothing => Ok(see_other(PATH)),
            Done::Withdrawn => Ok(see_other(&format!("{PATH}?done=withdrawn"))),
        }
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// What a post came to.
enum Done {
    SignedOut,
    Forged,
    Nothing,
    Withdrawn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        assert_eq!(day(at), "18 November 2026");
    }
}
