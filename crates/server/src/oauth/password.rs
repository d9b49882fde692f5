//! `POST /oauth/token` with a person's name and password.

use std::sync::Arc;

use actix_web::{HttpRequest, web::Data};
use signet_identity::{login, password::Password};
use signet_oidc::{
    Outcome, Params, Turn,
    client::Client,
    resource,
    token::{
        Issue,
        password::{self, PasswordRequest, Proven},
    },
};
use signet_storage::{Apply, Tx};

use super::{
    EndpointError,
    client::{Asked, Verdict},
};
use crate::{app::App, call, telemetry::metrics};

/// Protocol T7: tries them as the sign-in page does, counted like there, and grants in the transaction that records the
/// sign-in. Whatever is wrong with the person is answered alike.
pub(super) async fn issue(
    app: &Data<App>,
    http: &HttpRequest,
    (params, client): (&Params, &Arc<Client>),
    (request, mut turn): (PasswordRequest, Turn),
    asked: &mut Asked,
) -> Result<Verdict<Issue>, EndpointError> {
    let resources = resource::asked(params, client, None)?;
    app.may_sign_in(http).await?;
    let password = Password::new(request.password.expose());
    let tried = app.try_password::<EndpointError>(request.username.expose(), password, turn.bytes()).await?;
    let (shared, client, origin) = (app.clone(), Arc::clone(client), call::origin(http));
    let decide = move |tx: &mut Tx<'_>, turn: &mut Turn| {
        let reached = tried.reached();
        let (account, person) = match tx.credential_with_person(tried.user())? {
            Some((again, account, person)) => (Some(tried.account(&again)), Some((account, person))),
            None => (None, None),
        };
        let facts = (account, tried.typed.clone());
        let (changes, verdict) = login::decide_without_session(facts, reached.factor_missing, turn.now());
        // No account is made: there is no verdict to meet.
        let _ = tx.apply(changes, turn, &origin)?;
        let (Ok(_), Some((account, mut person))) = (verdict, person) else {
            return Ok(Outcome::refuse(password::refused()));
        };
        person.roles = shared.roles_for(tx, &client, account.id)?;
        let target = shared.target(tx, &client, (resources, &[]))?;
        let amr = reached.amr.iter().map(|method| method.as_str().to_owned()).collect();
        let proven = (Proven { account, person, acr: reached.acr.as_str(), amr }, &target);
        Ok(password::decide(&request, &client, proven, &shared.pairwise_key, (&shared.realm(), turn)))
    };
    let verdict = asked.decided(app, http, turn, decide).await?;
    if verdict.is_err() {
        app.sign_in_failed(http).await;
    }
    metrics::signed_in(verdict.is_ok());
    Ok(verdict)
}
