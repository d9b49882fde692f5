//! `POST /oauth/introspect`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Call,
    client::Client,
    introspect::{self, Facts, Introspection},
    token::Presented,
};

use super::{
    EndpointError,
    client::{self, Asked},
    private,
};
use crate::{app::App, entropy, guard::bearer};

/// RFC 7662 §2.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let told = client::serve(&app, &http, payload, async |call, client, asked: &mut Asked| {
        introspect::permit(&client)?;
        asked.prove(&app, &http).await?;
        look(&app, &call, client).await
    });
    match told.await {
        Ok(introspection) => private(&introspection),
        Err(refusal) => refusal,
    }
}

/// One statement at most: for the person's name, or for a refresh token.
async fn look(app: &Data<App>, call: &Call, client: Arc<Client>) -> Result<Introspection, EndpointError> {
    let (realm, now) = (app.realm(), entropy::now());
    let facts = match Presented::read(&call.params)? {
        Presented::Jwt(token) => {
            app.store.be_current(now).await?;
            match bearer::check(app, token.expose()) {
                Ok(claims) => {
                    let holder = match introspect::asks_for(&client, &claims, &realm) {
                        Some(grant) => app.store.read(move |tx| tx.holder(grant)).await?,
                        None => None,
                    };
                    Facts::Access { claims: Box::new(claims), username: holder.map(|holder| holder.username) }
                }
                Err(_) => Facts::Nothing,
            }
        }
        Presented::Opaque(token) => {
            let digest = token.digest();
            let (shared, asks) = (app.clone(), Arc::clone(&client));
            let found = app
                .store
                .read(move |tx| {
                    let mut found = tx.refresh_token(&digest, now)?;
                    if let Some(found) = &mut found {
                        let loaded = &mut found.loaded;
                        loaded.person.roles = shared.roles_for(tx, &asks, loaded.account.id)?;
                    }
                    Ok(found)
                })
                .await?;
            found.map_or(Facts::Nothing, |found| Facts::Refresh(Box::new(found)))
        }
    };
    Ok(introspect::decide(&client, facts, &realm, now))
}
