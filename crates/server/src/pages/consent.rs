//! `GET` and `POST /consent`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{client::ClientSource, consent::Consented, interaction::Refusal, scope, subject::Session};
use signet_rbac::Permission;
use signet_storage::resources::Resource;
use url::Url;

use super::{
    PageError, answer, html,
    interact::{self, Decision, Held},
    said::{said, with_logo},
    see_other, sign_in,
    view::{Consent, Page, ScopeLine},
};
use crate::{app::App, call, entropy};

/// Shows what the application asks for.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(held) = interact::open(&app, &http, &params).await? else { return Ok(see_other("/")) };
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let asked = named(&held.interaction.request.resources, held.client.default_audience.as_ref());
        let found = match app.cookies.session(&http) {
            Some(handle) => {
                let load = app.store.transaction(move |tx| {
                    let Some(session) = tx.session(&handle.digest(), now, idle)? else { return Ok(None) };
                    Ok(Some((session, tx.resources_named(&asked)?)))
                });
                load.await?
            }
            None => None,
        };
        let Some((session, apis)) = found else { return Ok(sign_in(&app, &http, &held.href("/signin"))) };
        let Some(browser) = app.cookies.browser(&http) else { return Err(Refusal::OtherBrowser.into()) };
        let token = Decision::Allow.token(&app.csrf_key, &browser, &held.interaction, &session);
        let view = view(&app, &held, (&session, &apis), token);
        Ok(with_logo(html(&view)?, &view.said))
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

fn view(app: &App, held: &Held, (session, apis): (&Session, &[Resource]), csrf: String) -> Consent {
    let redirect_uri = &held.interaction.request.redirect_uri;
    let host = Url::parse(redirect_uri).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
    });
    let api = app.realm().api_audience();
    let administers = held.client.audience() == api || held.interaction.request.resources.contains(&api);
    Consent {
        page: Page::plain("Allow access", &app.issuer_host),
        csrf,
        interaction: held.sealed.clone(),
        client_name: held.client_name(),
        client_host: host.unwrap_or_else(|| "an app on this device".to_owned()),
        unverified: held.client.source != ClientSource::Admin,
        account: session.username.clone(),
        scopes: allowed(&Consented::asked_by(&held.interaction.request, &held.client), administers, apis),
        switch_href: held.href("/signin"),
        said: said(held),
    }
}

/// The APIs that tokens are for: those asked for, else the client's own.
pub(super) fn named<'a>(resources: impl IntoIterator<Item = &'a String>, own: Option<&'a String>) -> Vec<String> {
    resources.into_iter().chain(own).cloned().collect()
}

/// What is asked for, or was allowed: scopes, single claims, APIs, in the words that `apis`, those it is about, were
/// registered with.
pub(super) fn allowed(what: &Consented, administers: bool, apis: &[Resource]) -> Vec<ScopeLine> {
    let claim =
        |name: &String| ScopeLine { name: name.clone(), description: format!("See your {}", name.replace('_', " ")) };
    let api = |name: &String| {
        let known = apis.iter().find(|api| api.identifier == *name && !api.name.is_empty());
        let called = known.map_or_else(|| "this API".to_owned(), |api| format!("“{}”", api.name));
        ScopeLine { name: name.clone(), description: format!("Use {called} on your behalf") }
    };
    let mut all = lines(&what.scopes, administers, apis);
    all.extend(what.claims.iter().map(claim));
    all.extend(what.resources.iter().map(api));
    all
}

/// The scopes asked for, in the order of the standard's list, others after them. Where the tokens are for our own API,
/// scopes that are permissions are said plainly.
fn lines(scopes: &scope::Scopes, administers: bool, apis: &[Resource]) -> Vec<ScopeLine> {
    let place = |name: &str| scope::STANDARD.iter().position(|(scope, _)| *scope == name);
    let mut names: Vec<&str> = scopes.iter().collect();
    names.sort_by_key(|name| place(name).unwrap_or(usize::MAX));
    names.into_iter().map(|name| line(name, administers, apis)).collect()
}

fn line(name: &str, administers: bool, apis: &[Resource]) -> ScopeLine {
    let known = scope::STANDARD.iter().find(|(scope, _)| *scope == name).map(|(_, text)| (*text).to_owned());
    let known = known.or_else(|| if administers { administration(name) } else { None });
    let known = known.or_else(|| {
        let scopes = apis.iter().flat_map(|api| &api.scopes);
        scopes
            .filter(|scope| scope.name == name && !scope.description.is_empty())
            .map(|scope| scope.description.clone())
            .next()
    });
    ScopeLine {
        name: name.to_owned(), description: known.unwrap_or_else(|| format!("Use “{name}” on your behalf"))
    }
}

/// What a permission lets an application do here in the person's name.
fn administration(name: &str) -> Option<String> {
    name.parse::<Permission>().ok()?;
    let (target, action) = name.split_once(':')?;
    let does = match action {
        "read" => "See",
        "create" => "Add",
        "update" => "Change",
        "delete" => "Remove",
        "lock" => "Lock",
        "unlock" => "Unlock",
        "rotate" => "Rotate",
        "repeat" => "Repeat",
        "assign" => "Give and take",
        "*" => "See and change",
        _ => return Some(format!("Use the permission “{name}” here, as far as your roles allow")),
    };
    let what = match target {
        "client" => "applications",
        "resource" => "APIs",
        "key" => "signing keys",
        "delivery" => "deliveries to applications",
        "user" => "accounts",
        "role" => "roles",
        "audit" => "the audit log",
        "*" => "everything",
        _ => return Some(format!("Use the permission “{name}” here, as far as your roles allow")),
    };
    Some(format!("{does} {what} here, as far as your roles allow"))
}

/// `allow` issues the code, `deny` sends `access_denied`.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = interact::answered(&app, &http, payload, &[Decision::Allow, Decision::Deny]).await;
    answer(result, &app, &http)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use signet_storage::resources::ResourceScope;

    use super::*;

    fn orders() -> Resource {
        let scope =
            |name: &str, description: &str| ResourceScope { name: name.into(), description: description.into() };
        Resource {
            key: 1,
            identifier: "https://orders.example".into(),
            name: "Orders service".into(),
            scopes: vec![
                scope("orders:read", "Read your orders"),
                scope("orders:write", ""),
                scope("email", "Other words"),
            ],
            access_token_seconds: None,
            access_token_alg: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    /// A16, R-47: an API is called as it was registered; one that is not is told by its address alone.
    #[test]
    fn apis_are_called_by_name() {
        let resources = ["https://orders.example", "https://other.example"].map(str::to_owned).into();
        let what = Consented { resources, ..Consented::default() };
        let said: Vec<_> = allowed(&what, false, &[orders()]).into_iter().map(|line| line.description).collect();
        assert_eq!(said, ["Use “Orders service” on your behalf", "Use this API on your behalf"]);
    }

    /// R-44, A16: what an application may do to this provider is said plainly, and only where its tokens are for the API.
    #[test]
    fn permissions_are_said_plainly() {
        for (scope, administers, expected) in [
            ("client:read", true, "See applications here, as far as your roles allow"),
            ("*:*", true, "See and change everything here, as far as your roles allow"),
            ("text/1:print", true, "Use the permission “text/1:print” here, as far as your roles allow"),
            ("client:read", false, "Use “client:read” on your behalf"),
            ("orders", true, "Use “orders” on your behalf"),
            ("email", true, "See your email address"),
            ("orders:read", false, "Read your orders"),
            ("orders:write", false, "Use “orders:write” on your behalf"),
        ] {
            assert_eq!(line(scope, administers, &[orders()]).description, expected, "{scope}");
        }
    }
}
