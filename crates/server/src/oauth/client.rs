//! The client behind a request to the token, introspection or revocation endpoint: who it is, how often it failed, and
//! what the audit log keeps of a refusal.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, Change, ErrorCode, Event, OAuthError, Outcome, Turn,
    change::{EventKind, EventResult},
    client::Client,
    id::ClientKey,
    token::client_auth::{self, Credentials, Expected, Proof},
};
use signet_storage::{Actor, Apply, Origin, StoreError, Tx, audit::Entry};

use super::EndpointError;
use crate::{app::App, call, entropy, telemetry::metrics};

/// What was decided about a request, after the commit.
pub type Verdict<T> = Result<T, OAuthError>;

/// What is known of a request by the time it is refused.
#[derive(Debug, Default)]
pub struct Asked {
    /// The client it names, if that exists.
    client: Option<ClientKey>,
    /// The client it names, if that does not exist.
    typed: Option<String>,
    /// Whether it showed that it is that client.
    authenticated: bool,
    /// What must be spent before the request counts as that client's.
    proof: Vec<Change>,
    /// Whether the decision left its own row.
    recorded: bool,
}

impl Asked {
    /// Decides in the transaction of the request. The client's assertion is spent first, and where it was used before
    /// nothing else happens; what `decide` changes is applied, after a refusal too.
    pub async fn decided<T, D>(
        &mut self,
        app: &App,
        http: &HttpRequest,
        mut turn: Turn,
        decide: D,
    ) -> Result<Verdict<T>, EndpointError>
    where
        T: Send + 'static,
        D: FnOnce(&mut Tx<'_>, &mut Turn) -> Result<Outcome<Change, T>, StoreError> + Send + 'static,
    {
        let (proof, origin) = (std::mem::take(&mut self.proof), call::origin(http));
        let (verdict, recorded) = app
            .store
            .transaction(move |tx| {
                if let Err(replayed) = tx.apply(proof, &mut turn, &origin)? {
                    return Ok((Err(replayed), false));
                }
                let Outcome { changes, verdict } = decide(tx, &mut turn)?;
                let recorded = changes.iter().any(|change| matches!(change, Change::Audit(_)));
                Ok((tx.apply(changes, &mut turn, &origin)?.and(verdict), recorded))
            })
            .await?;
        self.recorded = recorded;
        Ok(verdict)
    }

    /// Spends the client's assertion, for a request without a transaction of its own.
    pub async fn prove(&mut self, app: &App, http: &HttpRequest) -> Result<(), EndpointError> {
        let proof = std::mem::take(&mut self.proof);
        if proof.is_empty() {
            return Ok(());
        }
        let (mut turn, origin) = (entropy::turn()?, call::origin(http));
        Ok(app.store.transaction(move |tx| tx.apply(proof, &mut turn, &origin)).await??)
    }

    /// Leaves a row in the audit log, without a transaction: nothing else is written.
    fn refused(self, app: &App, http: &HttpRequest, error: &EndpointError) {
        let EndpointError::OAuth(error) = error else { return };
        let Ok(mut turn) = entropy::turn() else { return };
        if self.recorded {
            return;
        }
        // A client that is known and refused as itself showed an assertion a second time.
        let replayed = self.authenticated && error.code == ErrorCode::InvalidClient;
        let event = Event {
            kind: if replayed { EventKind::AssertionReplayed } else { EventKind::TokenRefused },
            result: EventResult::Refused,
            account: None,
            client: self.client,
            session: None,
            grant: None,
            detail: Some(error.code.as_str()),
        };
        let entry = Entry { typed: self.typed, ..Entry::of(event, &mut turn) };
        // Who failed to show who it is, is nobody known.
        let actor = (!self.authenticated || replayed).then_some(Actor::Anonymous);
        app.audit.push(entry, Origin { actor, ..call::origin(http) });
    }
}

/// Reads a request, authenticates its client and runs `work` for it; gives the refusal as the answer to send. Failures
/// are limited per address and client (protocol O3), counted, and leave a row in the audit log. An assertion that `work`
/// did not spend is spent before anything is answered.
pub async fn serve<T, W>(app: &Data<App>, http: &HttpRequest, payload: Payload, work: W) -> Result<T, HttpResponse>
where
    W: AsyncFnOnce(Call, Arc<Client>, &mut Asked) -> Result<T, EndpointError>,
{
    let mut asked = Asked::default();
    let result = limited(app, http, payload, &mut asked, work).await;
    result.map_err(|error| {
        metrics::refused(error.code().as_str());
        asked.refused(app, http, &error);
        error.json(http)
    })
}

async fn limited<T, W>(
    app: &Data<App>,
    http: &HttpRequest,
    payload: Payload,
    asked: &mut Asked,
    work: W,
) -> Result<T, EndpointError>
where
    W: AsyncFnOnce(Call, Arc<Client>, &mut Asked) -> Result<T, EndpointError>,
{
    let call = call::read(http, payload).await?;
    // RFC 9110 §5.3: it is not a list; a proxy before us may have looked at the other one.
    if http.headers().get_all(header::AUTHORIZATION).count() > 1 {
        return Err(OAuthError::invalid_request("the Authorization header comes more than once").into());
    }
    let read = client_auth::read(call.header("authorization"), &call.params);
    let named = read.as_ref().map(|(id, _)| id.clone()).unwrap_or_default();
    app.may_try(http, &named).await?;
    let result = async {
        let client = authenticate(app, http, read?, asked).await?;
        let result = work(call, Arc::clone(&client), asked).await;
        if result.is_ok() {
            app.note_use(&client);
        }
        if matches!(result, Ok(_) | Err(EndpointError::OAuth(_))) {
            asked.prove(app, http).await?;
        }
        result
    }
    .await;
    match &result {
        Err(EndpointError::OAuth(error)) if asked.authenticated && error.code != ErrorCode::InvalidClient => {
            app.refused(http, &named).await?;
        }
        Err(EndpointError::OAuth(_)) => app.failed(http, &named).await,
        _ => {}
    }
    result
}

/// Protocol T1: the client, if the request showed that it comes from it.
async fn authenticate(
    app: &App,
    http: &HttpRequest,
    (id, credentials): (String, Credentials),
    asked: &mut Asked,
) -> Result<Arc<Client>, EndpointError> {
    let client = app.client(&id).await?;
    match &client {
        Some(client) => asked.client = Some(client.key),
        // A secret in the wrong field is not kept.
        None => asked.typed = (!looks_like_a_secret(&id)).then_some(id),
    }
    // OIDC Core §9, RFC 7523 §3: the issuer, the token endpoint, or the endpoint that is asked.
    let realm = app.realm();
    let expected = Expected { realm: &realm, endpoint: http.path(), now: entropy::now() };
    let keys = match (&client, &credentials) {
        (Some(client), Credentials::Assertion(assertion))
            if client_auth::needs_keys(Some(client), &credentials, expected) =>
        {
            app.key_sets.of(client, assertion.kid(), Instant::now()).await.ok()
        }
        _ => None,
    };
    let mut verified = client_auth::verify(client.as_deref(), &credentials, expected, keys.as_deref());
    // OIDC Core §10.1.1: the key may have been replaced by one that is not told from it by name.
    if verified.is_err()
        && let (Some(client), Some(seen)) = (&client, &keys)
        && let Some(keys) = app.key_sets.another(client, seen, Instant::now()).await
    {
        verified = client_auth::verify(Some(client), &credentials, expected, Some(&keys));
    }
    let (_, proof) = verified?;
    let client = client.ok_or_else(|| OAuthError::invalid_client("client authentication failed"))?;
    asked.authenticated = true;
    asked.proof = match proof {
        Proof::Repeatable => Vec::new(),
        Proof::Once(change) => vec![change],
    };
    Ok(client)
}

/// Whether it has the form of the secrets that are made here.
fn looks_like_a_secret(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
