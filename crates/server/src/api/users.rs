//! `/api/v1/admin/users`

use actix_web::{HttpResponse, web::Payload};
use serde::Deserialize;
use signet_identity::password::Password;
use utoipa::{IntoParams, ToSchema};

use super::{MergePatch, Office, problem::Problem, shown, tagged};
use crate::admin::{
    Page, Paging,
    users::{self, NewAccount, UserChange, UserDetail, UserView, WithPassword},
};

impl MergePatch for UserChange {
    const KEPT: &'static [&'static str] = &["revision", "email_verified", "phone_number_verified"];
}

/// Which accounts are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct UserQuery {
    /// At most so many, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// What is searched for in usernames and addresses.
    pub search: Option<String>,
    /// `active`, `locked` or `deactivated`.
    pub state: Option<String>,
}

/// Why an account is locked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LockUser {
    /// At most 200 characters, for administrators.
    pub reason: Option<String>,
}

/// A new password.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SetPassword {
    /// The password; made, and answered once, when not given.
    #[schema(format = Password)]
    pub password: Option<String>,
}

/// Accounts, by username.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "Users", params(UserQuery),
    responses((status = 200, description = "A part of the list", body = Page<UserView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    let UserQuery { limit, after, search, state } = office.query()?;
    Ok(office.page(&users::list(&office.desk, Paging { limit, after, search }, state).await?))
}

/// Makes an account. Without a password one is made, and is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/admin/users", tag = "Users", request_body = NewAccount,
    responses((status = 201, description = "Made", body = WithPassword)))]
pub async fn create(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let made = users::create(&office.desk, office.body::<NewAccount>(payload).await?).await?;
    Ok(office.created(&made.user.id.to_string(), &made))
}

/// One account, with its roles and the number of its sessions.
#[utoipa::path(get, path = "/api/v1/admin/users/{user}", tag = "Users",
    params(("user" = String, Path, description = "Its id, username or address")),
    responses((status = 200, description = "The account; its revision is the ETag", body = UserDetail)))]
pub async fn show(office: Office) -> Result<HttpResponse, Problem> {
    let detail = users::show(&office.desk, &office.path::<String>()?).await?;
    Ok(tagged(&detail.revision, &detail))
}

/// Changes what is known of a person: what the body names; the rest stays, and `null` clears. With `If-Match` only if
/// nobody changed it meanwhile.
#[utoipa::path(patch, path = "/api/v1/admin/users/{user}", tag = "Users", request_body = UserChange,
    params(("user" = String, Path, description = "Its id, username or address"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = UserDetail)))]
pub async fn update(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let change: UserChange = office.change(payload).await?;
    let (detail, _) = users::update(&office.desk, &office.path::<String>()?, change, office.condition()).await?;
    Ok(tagged(&detail.revision, &detail))
}

/// Sets a password. Everything the account is signed in to ends, offline access too.
#[utoipa::path(post, path = "/api/v1/admin/users/{user}/set-password", tag = "Users", request_body = SetPassword,
    params(("user" = String, Path, description = "Its id, username or address"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "Set; with the password if it was made here", body = WithPassword)))]
pub async fn set_password(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let how: SetPassword = office.body_or_default(payload).await?;
    let password = how.password.as_deref().map(Password::new);
    Ok(shown(&users::set_password(&office.desk, &office.path::<String>()?, password, office.condition()).await?))
}

/// Locks an account: it cannot sign in, and everything it is signed in to ends, offline access too.
#[utoipa::path(post, path = "/api/v1/admin/users/{user}/lock", tag = "Users", request_body = LockUser,
    params(("user" = String, Path, description = "Its id, username or address"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = UserView)))]
pub async fn lock(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let how: LockUser = office.body_or_default(payload).await?;
    Ok(shown(&users::lock(&office.desk, &office.path::<String>()?, how.reason, office.condition()).await?))
}

/// Unlocks an account. What ended stays ended.
#[utoipa::path(post, path = "/api/v1/admin/users/{user}/unlock", tag = "Users",
    params(("user" = String, Path, description = "Its id, username or address"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = UserView)))]
pub async fn unlock(office: Office) -> Result<HttpResponse, Problem> {
    Ok(shown(&users::unlock(&office.desk, &office.path::<String>()?, office.condition()).await?))
}
