//! Access tokens at our own door: for userinfo, and for the API.

use std::sync::Arc;

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, http::header, web::Payload};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::{Ready, ready};
use signet_identity::UserId;
use signet_oidc::{
    ErrorCode, OAuthError,
    id::{ClientId, ClientKey},
    jose::AccessClaims,
    scope::Scopes,
    userinfo,
};
use signet_rbac::{Permission, PermissionSet};
use signet_storage::{Actor, Origin};

use super::{access::Subject, gate::Unguarded};
use crate::{api::problem::Problem, app::App, call, entropy, oauth::EndpointError};

/// Who calls the API: left in the request by the guard, and by nothing else. A handler on a route that needs no
/// permission cannot have one.
#[derive(Debug, Clone)]
pub struct Caller {
    subject: Subject,
    client: ClientKey,
    client_id: ClientId,
    permissions: Arc<PermissionSet>,
}

impl Caller {
    /// The person, or the client on its own behalf.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The client that holds the token.
    pub fn client(&self) -> ClientKey {
        self.client
    }

    /// Its public identifier.
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// What both the token's scopes and the roles allow.
    pub fn permissions(&self) -> Arc<PermissionSet> {
        Arc::clone(&self.permissions)
    }

    /// Who acts, for the audit log.
    pub fn actor(&self) -> Actor {
        match self.subject {
            Subject::User(user) => Actor::User { user: user.0, client: Some(self.client.0) },
            Subject::Client(client) => Actor::Client(client.0),
        }
    }

    /// From where, and who acts.
    pub fn origin(&self, request: &HttpRequest) -> Origin {
        Origin { actor: Some(self.actor()), ..call::origin(request) }
    }
}

impl FromRequest for Caller {
    type Error = Unguarded;
    type Future = Ready<Result<Self, Unguarded>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(Unguarded))
    }
}

fn invalid() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid")
}

/// Signature, kind, issuer, times, and one look into the revocation set. No SQL.
pub(crate) fn check(app: &App, token: &str) -> Result<AccessClaims, OAuthError> {
    let claims =
        app.published().keyring.verify_access(token, &app.realm().issuer, entropy::now()).map_err(|_| invalid())?;
    if app.store.is_revoked(&claims) { Err(invalid()) } else { Ok(claims) }
}

/// OIDC Core §5.3.1, RFC 6750 §2: a token for the issuer with `scope`, in the header or the form body. `None` where no
/// token was sent.
pub(super) async fn for_issuer(
    app: &App,
    http: &HttpRequest,
    payload: Payload,
    scope: &str,
) -> Result<Option<AccessClaims>, EndpointError> {
    let call = call::read(http, payload).await?;
    // RFC 9110 §5.3: it is not a list; a proxy before us may have looked at the other one.
    if http.headers().get_all(header::AUTHORIZATION).count() > 1 {
        return Err(OAuthError::invalid_request("the Authorization header comes more than once").into());
    }
    app.store.be_current(entropy::now()).await?;
    let Some(token) = userinfo::bearer(&call)? else { return Ok(None) };
    let client = claimed_client(token.expose());
    let checked = check(app, token.expose()).and_then(|claims| {
        userinfo::permit(&claims, &app.realm(), scope)?;
        Ok(claims)
    });
    // O3: failures are limited, not successes. The check costs no statement.
    if checked.is_err() {
        app.may_try(http, &client).await?;
        app.failed(http, &client).await;
    }
    Ok(Some(checked?))
}

/// What tells the failures of one client from those of another here: the client that a token says it is for. That is
/// unchecked, so they are apart from the failures of who authenticates as that client.
fn claimed_client(token: &str) -> String {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
    format!("bearer {}", claims.get("client_id").and_then(serde_json::Value::as_str).unwrap_or_default())
}

/// RFC 6750 §2.1: the token, from the header only.
fn from_header(http: &HttpRequest) -> Result<&str, Problem> {
    let mut sent = http.headers().get_all(header::AUTHORIZATION);
    let (first, more) = (sent.next(), sent.next());
    if more.is_some() {
        return Err(refused(400, "invalid_request", "Send one Authorization header."));
    }
    let missing = || {
        Problem::new(401, "token_missing", "Send an access token for this API: Authorization: Bearer …")
            .challenge("Bearer realm=\"signet\"".to_owned())
    };
    let Some(value) = first else { return Err(missing()) };
    let value = value.to_str().map_err(|_| token_refused())?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(missing()),
    }
}

/// RFC 6750 §3: a refusal with its error code in `WWW-Authenticate`.
fn refused(status: u16, code: &'static str, detail: &'static str) -> Problem {
    Problem::new(status, code, detail).challenge(format!("Bearer realm=\"signet\", error=\"{code}\""))
}

fn token_refused() -> Problem {
    refused(401, "invalid_token", "The access token is not valid, has ended, or is not for this API.")
}

/// A token for the API alone (its audience, and beside it at most the issuer's for userinfo), whose scopes and whose
/// bearer's roles both allow `permission`. No statement where client, account and roles are cached.
pub(super) async fn for_api(app: &App, http: &HttpRequest, permission: &Permission) -> Result<Caller, Problem> {
    let token = from_header(http)?;
    app.store.be_current(entropy::now()).await?;
    let claims = check(app, token).map_err(|_| token_refused())?;
    if !is_for_api(&claims.aud, &app.realm().api_audience(), &app.realm().issuer) {
        return Err(token_refused());
    }
    let ceiling = ceiling(&claims.scope);
    if !ceiling.allows(permission) {
        let challenge = format!("Bearer realm=\"signet\", error=\"insufficient_scope\", scope=\"{permission}\"");
        let detail = format!("The access token lacks a scope that allows {permission}.");
        return Err(Problem::new(403, "insufficient_scope", detail).challenge(challenge));
    }
    let client = app.client(&claims.client_id).await?.filter(|client| !client.disabled).ok_or_else(token_refused)?;
    let subject = subject(app, &claims, client.key).await?;
    let held = app.held_by(subject).await?;
    if !held.permissions.allows(permission) {
        let detail = format!("No role of the token's holder allows {permission}. An administrator can assign one.");
        return Err(Problem::new(403, "permission_missing", detail));
    }
    let permissions = Arc::new(held.permissions.narrowed(&ceiling));
    Ok(Caller { subject, client: client.key, client_id: client.id.clone(), permissions })
}

/// Exactly the API, or the API and the issuer, which `openid` adds. A token that opens another door too is refused, so
/// that nobody behind that door can use it here.
fn is_for_api(audience: &[String], api: &str, issuer: &str) -> bool {
    audience.iter().any(|one| one == api) && audience.iter().all(|one| one == api || one == issuer)
}

/// The scopes that are shaped like permissions.
fn ceiling(scope: &str) -> PermissionSet {
    let scopes: Scopes = scope.parse().unwrap_or_default();
    scopes.iter().filter_map(|scope| scope.parse::<Permission>().ok()).collect()
}

/// The person behind the token's grant, or the client where there is none.
async fn subject(app: &App, claims: &AccessClaims, client: ClientKey) -> Result<Subject, Problem> {
    if claims.grant.is_none() {
        let own = claims.sub == claims.client_id;
        return if own { Ok(Subject::Client(client)) } else { Err(token_refused()) };
    }
    let user = match claims.user_id {
        Some(user) => Some(UserId(user.0)),
        None => app.person(&claims.sub).await?,
    };
    user.map(Subject::User).ok_or_else(token_refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// the audience is the API's, alone or beside the issuer's.
    #[test]
    fn audiences() {
        let (api, issuer) = ("https://id.example/api", "https://id.example");
        for (audience, expected) in [
            (&[api] as &[&str], true),
            (&[api, issuer], true),
            (&[issuer, api], true),
            (&[issuer], false),
            (&[], false),
            (&["https://id.example/api/"], false),
            (&["https://id.example/API"], false),
            (&[api, "https://app.example"], false),
            (&["app"], false),
        ] {
            let sent: Vec<String> = audience.iter().map(|&one| one.to_owned()).collect();
            assert_eq!(is_for_api(&sent, api, issuer), expected, "{audience:?}");
        }
    }

    /// only scopes shaped like permissions allow anything.
    #[test]
    fn ceilings() {
        for (scope, wanted, expected) in [
            ("client:read", "client:read", true),
            ("openid user:*", "user:lock", true),
            ("*:*", "key:rotate", true),
            ("openid profile email", "client:read", false),
            ("client:read", "client:update", false),
            ("client", "client:read", false),
            ("", "client:read", false),
        ] {
            assert_eq!(ceiling(scope).allows(&wanted.parse().unwrap()), expected, "{scope:?} {wanted}");
        }
    }
}
