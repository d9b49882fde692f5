//! `GET /account/activity`: what was done with the person's own account.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use chrono::{DateTime, Utc};
use signet_identity::UserId;
use signet_oidc::OAuthError;

use crate::{
    admin::{
        AdminError,
        audit::{self, Activity},
    },
    app::App,
    audit::events,
    call, entropy,
    pages::{
        PageError, answer, html, sign_in,
        view::{ActivityLine, Page, RecentActivity},
    },
};

const PATH: &str = "/account/activity";

/// What happens to people often, in their words; the catalogue has words for the rest.
const SAID: [(&str, &str); 21] = [
    ("sign_in.succeeded", "Signed in"),
    ("sign_in.failed", "A sign-in failed: the password did not fit"),
    ("sign_in_link.issued", "A sign-in link was made"),
    ("sign_in_link.used", "Signed in by a link"),
    ("sign_in_link.refused", "A sign-in link was refused"),
    ("session.ended", "Signed out"),
    ("code.issued", "Signed in to an application"),
    ("tokens.issued", "Signed in to an application"),
    ("code.redeemed", "An application finished a sign-in"),
    ("token.refreshed", "An application stayed signed in"),
    ("token.revoked", "An application ended its access"),
    ("password_grant.issued", "Signed in to an application by name and password"),
    ("consent.given", "An application was allowed access"),
    ("consent.denied", "An application was denied access"),
    ("consent.withdrawn", "An application’s access was withdrawn"),
    ("access.refused", "An application for other people was refused"),
    ("account.registered", "The account was made"),
    ("account.created", "The account was made"),
    ("account.password_set", "A new password was set"),
    ("account.locked", "The account was locked"),
    ("account.unlocked", "The account was unlocked"),
];

/// Lists it, the newest first.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(handle) = app.cookies.session(&http) else { return Ok(sign_in(&app, &http, "/signin")) };
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let session = app.store.transaction(move |tx| tx.session(&handle.digest(), now, idle)).await?;
        let Some(session) = session else { return Ok(sign_in(&app, &http, "/signin")) };
        let found = audit::activity_of(&app.store, UserId(session.account.id.0), params.get("after")).await;
        let found = found.map_err(|error| match error {
            AdminError::Store(error) => PageError::Store(error),
            _ => PageError::Parameter(OAuthError::invalid_request("after is not the end of a page")),
        })?;
        let next = found.next.map(|next| {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("after", &next).finish();
            format!("{PATH}?{query}")
        });
        html(&RecentActivity {
            page: Page::plain("Recent activity", &app.issuer_host),
            account: session.username,
            lines: found.items.into_iter().map(line).collect(),
            next_href: next,
        })
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

fn line(activity: Activity) -> ActivityLine {
    ActivityLine {
        what: said(&activity.event),
        refused: activity.result == "refused",
        by: match activity.by.as_str() {
            "self" => "By you",
            "administrator" => "By an administrator",
            "client" => "By an application",
            _ => "By somebody who was not signed in",
        },
        at: moment(activity.at),
        at_machine: activity.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        client_name: activity.client_name,
        client_id: activity.client_id,
        object: activity.object,
        address: activity.address,
        user_agent: activity.user_agent,
    }
}

fn said(event: &str) -> String {
    if let Some((_, said)) = SAID.iter().find(|(code, _)| *code == event) {
        return (*said).to_owned();
    }
    let listed = events::catalogue().into_iter().find(|listed| listed.event == event);
    listed.map_or_else(|| event.to_owned(), |listed| listed.meaning.trim_end_matches('.').to_owned())
}

/// A moment as people write it.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        assert_eq!(moment(at), "18 November 2026, 11:06:40");
    }

    /// what is said of an event is said of one there is; of each event something is said.
    #[test]
    fn events_are_said_plainly() {
        let all = events::catalogue();
        for (code, words) in SAID {
            assert!(all.iter().any(|listed| listed.event == code), "{code}");
            assert_eq!(said(code), words);
        }
        for listed in all {
            assert!(said(listed.event).contains(' '), "{}", listed.event);
        }
        assert_eq!(said("of.before"), "of.before");
    }
}
