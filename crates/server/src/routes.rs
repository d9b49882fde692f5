//! The whole route map: path, methods, who may call, what is changed, which headers differ.
//!
//! A handler is reachable only through a line here: [`install`] is the one place where handlers are registered, a
//! handler cannot stand on a line without its requirement, and the guard runs before each.

use crate::{
    api::{
        self as rest, audit, clients, consents, deliveries, docs, keys, registration_tokens, resources, roles, users,
    },
    guard::route::{
        Audience::Issuer, Headers, Line, Service, api, delete, endpoint, get, install, page, patch, post, put,
    },
    oauth::{
        authorize, check_session, discovery, introspect, logout, register as own_registration, revoke, token, userinfo,
    },
    pages::{
        self,
        account::{activity, applications},
        consent, home, interact, link, no_access, register, select_account, signin,
    },
    playground::handlers as playground_handlers,
    telemetry::endpoints,
};

/// The greatest body where little more than a password or a token is sent, in bytes: a password has up to 1,024 bytes,
/// and JSON may write each in twelve. What is typed at sign-in may be longer; it is refused there, in words.
const FORM: usize = 16 * 1024;
/// The greatest body where a few words are sent, or none.
const FEW: usize = 4 * 1024;

/// Every path, the playground's included.
pub fn map() -> Vec<Service> {
    let (strict, interaction, cors) = (Headers::STRICT, Headers::INTERACTION, Headers::CORS);
    let mut map = vec![
        // Pages.
        page("/", strict, [get(home::get).public()]),
        page("/signin", Headers::APPLICATION, [get(signin::get).public(), post(signin::post).public().writes(SIGN_IN)]),
        page(
            "/signin/link",
            Headers::SCRIPT,
            [get(link::get).public(), post(link::post).public().writes(LINK).body_limit(FEW)],
        ),
        page("/assets/link.js", strict, [get(link::script).public()]),
        page(
            "/register",
            Headers::APPLICATION,
            [get(register::get).public(), post(register::post).public().writes(REGISTER)],
        ),
        page(
            "/consent",
            Headers::APPLICATION,
            [get(consent::get).session(), post(consent::post).session().writes(CONSENT).body_limit(FORM)],
        ),
        page("/no-access", interaction, [get(no_access::get).session(), post(no_access::post).session()]),
        page(
            "/select-account",
            interaction,
            [get(select_account::get).session(), post(select_account::post).session().writes(CODE).body_limit(FORM)],
        ),
        page("/continue", interaction, [get(interact::get).session().writes(CODE)]),
        page(
            "/account/applications",
            strict,
            [
                get(applications::get).session(),
                post(applications::post).session().writes(&["consent.withdrawn"]).body_limit(FORM),
            ],
        ),
        page("/account/activity", strict, [get(activity::get).session()]),
        page("/assets/style.css", strict, [get(pages::style).public()]),
        // The protocol.
        page(
            "/oauth/authorize",
            Headers::POPUP,
            [get(authorize::get).public().writes(CODE), post(authorize::post).public()],
        ),
        endpoint("/oauth/token", cors, [post(token::post).public().writes(TOKEN)]),
        endpoint(
            "/oauth/userinfo",
            cors,
            [
                get(userinfo::handle).token(Issuer, "openid"),
                post(userinfo::handle).token(Issuer, "openid").body_limit(FORM),
            ],
        ),
        // For servers, which authenticate: no script of a page has what it takes.
        endpoint("/oauth/introspect", strict, [post(introspect::post).public().writes(&["token.refused"])]),
        endpoint("/oauth/revoke", cors, [post(revoke::post).public().writes(&["token.revoked", "token.refused"])]),
        endpoint("/oauth/register", strict, [post(own_registration::post).public().writes(REGISTRATION)]),
        endpoint(
            "/oauth/register/{client_id}",
            strict,
            [
                get(own_registration::get).public().writes(&["client_registration.refused"]),
                put(own_registration::put).public().writes(&[
                    "client_registration.updated",
                    "client_registration.refused",
                    "key.created",
                ]),
                delete(own_registration::delete)
                    .public()
                    .writes(&["client_registration.deleted", "client_registration.refused"]),
            ],
        ),
        endpoint("/oauth/jwks", cors, [get(discovery::jwks).public()]),
        page("/oauth/check-session", Headers::FRAMED, [get(check_session::get).public()]),
        page("/assets/check-session.js", strict, [get(check_session::script).public()]),
        page(
            "/oauth/logout",
            Headers::LOGOUT,
            [get(logout::get).public().writes(LOGOUT), post(logout::post).public().writes(LOGOUT)],
        ),
        // Operation.
        endpoint("/healthz", strict, [get(endpoints::healthz).public()]),
        endpoint("/readyz", strict, [get(endpoints::readyz).public()]),
        endpoint("/metrics", strict, [get(endpoints::metrics).public()]),
    ];
    for path in DISCOVERY {
        map.push(endpoint(path, cors, [get(discovery::document).public()]));
    }
    map.extend(administration());
    map.extend(people());
    map.extend(playground());
    map
}

/// The REST API and its description.
fn administration() -> Vec<Service> {
    let strict = Headers::STRICT;
    vec![
        page("/docs", Headers::DOCS, [get(docs::page).public()]),
        page("/docs/{file}", strict, [get(docs::file).public()]),
        page("/api/openapi.json", strict, [get(rest::document).public()]),
        api(
            "/api/v1/admin/clients",
            [
                get(clients::list).needs("client:read"),
                post(clients::create).needs("client:create").writes(&["client.created", "key.created"]),
            ],
        ),
        api(
            "/api/v1/admin/clients/{client_id}",
            [
                get(clients::show).needs("client:read"),
                patch(clients::update).needs("client:update").writes(&["client.updated", "key.created"]),
                delete(clients::delete).needs("client:delete").writes(&["client.deleted"]),
            ],
        ),
        api(
            "/api/v1/admin/clients/{client_id}/rotate-secret",
            [post(clients::rotate_secret).needs("client:update").writes(&["client.secret_rotated"]).body_limit(FEW)],
        ),
        api(
            "/api/v1/admin/clients/{client_id}/disable",
            [post(clients::disable).needs("client:update").writes(&["client.disabled"]).body_limit(FEW)],
        ),
        api(
            "/api/v1/admin/clients/{client_id}/enable",
            [post(clients::enable).needs("client:update").writes(&["client.enabled"]).body_limit(FEW)],
        ),
        api(
            "/api/v1/admin/clients/{client_id}/roles/{role}",
            [
                put(roles::assign_to_client).needs("role:assign").writes(&["role.assigned"]).body_limit(FEW),
                delete(roles::take_from_client).needs("role:assign").writes(&["role.removed"]),
            ],
        ),
        api(
            "/api/v1/admin/registration-tokens",
            [
                get(registration_tokens::list).needs("client:read"),
                post(registration_tokens::create)
                    .needs("client:create")
                    .writes(&["registration_token.created"])
                    .body_limit(FEW),
            ],
        ),
        api(
            "/api/v1/admin/registration-tokens/{id}",
            [delete(registration_tokens::delete).needs("client:delete").writes(&["registration_token.deleted"])],
        ),
        api(
            "/api/v1/admin/resources",
            [
                get(resources::list).needs("resource:read"),
                post(resources::create).needs("resource:create").writes(&["resource.created", "key.created"]),
            ],
        ),
        api(
            "/api/v1/admin/resources/{identifier}",
            [
                get(resources::show).needs("resource:read"),
                patch(resources::update).needs("resource:update").writes(&["resource.updated", "key.created"]),
                delete(resources::delete).needs("resource:delete").writes(&["resource.deleted"]),
            ],
        ),
        api("/api/v1/admin/audit", [get(audit::list).needs("audit:read")]),
        api("/api/v1/admin/deliveries", [get(deliveries::list).needs("delivery:read")]),
        api("/api/v1/admin/deliveries/{id}", [get(deliveries::show).needs("delivery:read")]),
        api(
            "/api/v1/admin/deliveries/{id}/repeat",
            [post(deliveries::repeat).needs("delivery:repeat").writes(&["delivery.repeated"]).body_limit(FEW)],
        ),
        api("/api/v1/admin/keys", [get(keys::list).needs("key:read")]),
        api(
            "/api/v1/admin/keys/rotate",
            [post(keys::rotate).needs("key:rotate").writes(&["key.rotated"]).body_limit(FEW)],
        ),
    ]
}

/// Accounts and roles in the REST API.
fn people() -> Vec<Service> {
    vec![
        api(
            "/api/v1/admin/users",
            [
                get(users::list).needs("user:read"),
                post(users::create).needs("user:create").writes(&["account.created"]),
            ],
        ),
        api(
            "/api/v1/admin/users/{user}",
            [get(users::show).needs("user:read"), patch(users::update).needs("user:update").writes(&["user.updated"])],
        ),
        api(
            "/api/v1/admin/users/{user}/set-password",
            [post(users::set_password).needs("user:update").writes(&["account.password_set"]).body_limit(FORM)],
        ),
        api(
            "/api/v1/admin/users/{user}/lock",
            [post(users::lock).needs("user:lock").writes(&["account.locked"]).body_limit(FORM)],
        ),
        api(
            "/api/v1/admin/users/{user}/unlock",
            [post(users::unlock).needs("user:unlock").writes(&["account.unlocked"]).body_limit(FEW)],
        ),
        api("/api/v1/admin/users/{user}/consents", [get(consents::list).needs("user:read")]),
        api(
            "/api/v1/admin/users/{user}/consents/{client_id}",
            [delete(consents::withdraw).needs("user:update").writes(&["consent.withdrawn"])],
        ),
        api(
            "/api/v1/admin/users/{user}/roles/{role}",
            [
                put(roles::assign_to_user).needs("role:assign").writes(&["role.assigned"]).body_limit(FEW),
                delete(roles::take_from_user).needs("role:assign").writes(&["role.removed"]),
            ],
        ),
        api(
            "/api/v1/admin/roles",
            [get(roles::list).needs("role:read"), post(roles::create).needs("role:create").writes(&["role.created"])],
        ),
        api(
            "/api/v1/admin/roles/{role}",
            [
                get(roles::show).needs("role:read"),
                patch(roles::update).needs("role:update").writes(&["role.updated"]),
                delete(roles::delete).needs("role:delete").writes(&["role.deleted"]),
            ],
        ),
    ]
}

/// The names of the discovery document.
const DISCOVERY: [&str; 3] = [
    "/.well-known/openid-configuration",
    "/.well-known/openid_configuration",
    "/.well-known/oauth-authorization-server",
];

/// Audit events, by what is done.
const SIGN_IN: &[&str] = &["sign_in.succeeded", "sign_in.failed"];
const LINK: &[&str] = &["sign_in_link.used", "sign_in_link.refused"];
const REGISTER: &[&str] = &["account.registered"];
const CODE: &[&str] = &["code.issued", "tokens.issued", "access.refused"];
const CONSENT: &[&str] = &["consent.given", "consent.denied", "access.refused"];
const REGISTRATION: &[&str] =
    &["client_registration.created", "client_registration.refused", "registration_token.used_up", "key.created"];
const LOGOUT: &[&str] = &["session.ended"];
const TOKEN: &[&str] = &[
    "code.redeemed",
    "code.replayed",
    "token.refreshed",
    "refresh_token.replayed",
    "client_token.issued",
    "token.refused",
];

/// The playground: development only. What it changes is its own, in memory.
pub(crate) fn playground() -> Vec<Service> {
    use playground_handlers::{callback, refresh, show, signout, start, userinfo};
    let strict = Headers::STRICT;
    [
        page("/playground", strict, [get(show).public()]),
        page("/playground/start", strict, [post(start).public().body_limit(FORM)]),
        page("/playground/callback", strict, [get(callback).public()]),
        page("/playground/userinfo", strict, [post(userinfo).public().body_limit(FEW)]),
        page("/playground/refresh", strict, [post(refresh).public().body_limit(FEW)]),
        page("/playground/signout", strict, [post(signout).public().body_limit(FEW)]),
    ]
    .into_iter()
    .map(Service::in_development)
    .collect()
}

/// The map as data, one line for each path and method.
pub fn table() -> Vec<Line> {
    map().iter().flat_map(Service::lines).collect()
}

/// Registers the map, and what answers where there is no route.
#[expect(clippy::disallowed_types, reason = "the one place where the map is registered")]
pub fn configure(config: &mut actix_web::web::ServiceConfig, development: bool) {
    install(config, map(), development);
    config.default_service(actix_web::web::to(pages::not_found));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::guard::route::Requirement;

    /// every permission can be read, so that no line is closed by a slip; no path and method stands twice; what
    /// changes something names its event, in the API and outside of it.
    #[test]
    fn the_table_is_sound() {
        let mut seen = HashSet::new();
        let known: HashSet<_> = crate::audit::events::catalogue().into_iter().map(|listed| listed.event).collect();
        for line in table() {
            assert!(line.writes.iter().all(|event| known.contains(event)), "{:?}", line.writes);
            assert!(seen.insert((line.path, line.method)), "{} {} twice", line.method, line.path);
            let api = line.path.starts_with("/api/v1/");
            if let Requirement::Permission { permission } = line.requirement {
                assert!(permission.parse::<signet_rbac::Permission>().is_ok(), "{permission}");
                assert!(api, "{}", line.path);
            }
            let reads = line.method == "GET";
            if api {
                assert!(matches!(line.requirement, Requirement::Permission { .. }), "{}", line.path);
                assert_eq!(reads, line.writes.is_empty(), "{} {}", line.method, line.path);
            } else if !reads {
                let silent = CHANGE_NOTHING.contains(&(line.method, line.path));
                assert_eq!(silent, line.writes.is_empty(), "{} {}", line.method, line.path);
            }
        }
        assert!(CHANGE_NOTHING.iter().all(|line| seen.contains(&(line.1, line.0))), "a line that is no more");
    }

    /// Lines that are not for reading, and change nothing that is worth a row.
    const CHANGE_NOTHING: [(&str, &str); 7] = [
        // Answers by a redirect to GET.
        ("POST", "/oauth/authorize"),
        // Ends an interaction whose refusal was recorded when the page was led to.
        ("POST", "/no-access"),
        // The same as GET (OIDC Core §5.3.1).
        ("POST", "/oauth/userinfo"),
        // The playground keeps in memory what it was given, and gets it as any application does.
        ("POST", "/playground/start"),
        ("POST", "/playground/userinfo"),
        ("POST", "/playground/refresh"),
        ("POST", "/playground/signout"),
    ];
}
