//! Who is in front of the browser, as far as the answer needs it.

use chrono::{DateTime, Utc};
use signet_oidc::{
    authorize::{self, AuthorizeRequest},
    client::Client,
    secret::Secret,
    subject::{Person, Session},
};
use signet_storage::{StoreError, Tx};

/// The browser's session. An access token from here is not asked about again, as a code is: where one is asked for the session
/// stays until it is stored. One statement, or two.
pub(super) fn signed_in(
    tx: &mut Tx<'_>,
    handle: &Secret,
    request: &AuthorizeRequest,
    (now, idle_until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<Session>, StoreError> {
    match tx.session(&handle.digest(), now, idle_until)? {
        Some(session) if request.response_type.token && !tx.hold_session(session.id)? => Ok(None),
        session => Ok(session),
    }
}

/// Who is signed in, where the answer says something of the person. One statement.
pub(super) fn person(
    tx: &mut Tx<'_>,
    (request, client): (&AuthorizeRequest, &Client),
    session: Option<&Session>,
    roles: &[String],
) -> Result<Option<Person>, StoreError> {
    let Some(session) = session.filter(|_| authorize::wants_person(request, client)) else { return Ok(None) };
    let person = tx.person(session.account.id)?;
    Ok(person.map(|person| Person { roles: roles.to_vec(), ..person }))
}
