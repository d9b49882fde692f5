//! `POST /oauth/revoke`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, Outcome, Turn,
    client::Client,
    jose::AccessClaims,
    revoke::{self, Facts},
    secret::Digest,
    token::Presented,
};
use signet_storage::Tx;

use super::{
    EndpointError,
    client::{self, Asked},
};
use crate::{app::App, entropy, guard::bearer};

/// RFC 7009 §2: whatever was sent, the answer is 200 and holds nothing.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let ended = client::serve(&app, &http, payload, async |call, client, asked: &mut Asked| {
        give_back((&app, &http), &call, client, asked).await
    });
    match ended.await {
        Ok(()) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish(),
        Err(refusal) => refusal,
    }
}

/// What is looked for in the transaction.
enum Sought {
    /// A token of this client that is alive.
    Access(Box<AccessClaims>),
    /// A refresh token, by its hash.
    Refresh(Digest),
}

async fn give_back(
    (app, http): (&App, &HttpRequest),
    call: &Call,
    client: Arc<Client>,
    asked: &mut Asked,
) -> Result<(), EndpointError> {
    let turn = entropy::turn()?;
    let sought = match Presented::read(&call.params)? {
        Presented::Jwt(token) => {
            app.store.be_current(turn.now()).await?;
            match bearer::check(app, token.expose()) {
                Ok(claims) if revoke::is_own(&client, &claims) => Sought::Access(Box::new(claims)),
                // Another client's, of another kind, or over.
                _ => return Ok(()),
            }
        }
        Presented::Opaque(token) => Sought::Refresh(token.digest()),
    };
    let decide = move |tx: &mut Tx<'_>, turn: &mut Turn| {
        let facts = match sought {
            Sought::Access(claims) => {
                let holder = claims.grant.map(|grant| tx.holder(grant)).transpose()?.flatten();
                Facts::Access { claims, holder }
            }
            Sought::Refresh(token) => match tx.refresh_token(&token, turn.now())? {
                Some(found) => Facts::Refresh(Box::new(found.loaded.grant)),
                None => Facts::Nothing,
            },
        };
        Ok(Outcome { changes: revoke::decide(&client, facts, turn.now()), verdict: Ok(()) })
    };
    Ok(asked.decided(app, http, turn, decide).await??)
}
