//! `/api/v1/admin/roles`, and who holds them.

use actix_web::{HttpResponse, web::Payload};

use super::{MergePatch, Office, all, problem::Problem, shown, tagged};
use crate::admin::{
    Page, revision,
    roles::{self, HeldRoles, HolderRef, NewRole, RoleChange, RoleDetail, RoleView},
};

impl MergePatch for RoleChange {
    const KEPT: &'static [&'static str] = &["description", "permissions", "parents"];
}

/// Roles, by name.
#[utoipa::path(get, path = "/api/v1/admin/roles", tag = "Roles",
    responses((status = 200, description = "All of them", body = Page<RoleView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    Ok(all(roles::list(&office.desk).await?))
}

/// Makes a role.
#[utoipa::path(post, path = "/api/v1/admin/roles", tag = "Roles", request_body = NewRole,
    responses((status = 201, description = "Made", body = RoleView)))]
pub async fn create(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let made = roles::create(&office.desk, office.body::<NewRole>(payload).await?).await?;
    Ok(office.created(&made.name, &made))
}

/// One role, with how many hold it.
#[utoipa::path(get, path = "/api/v1/admin/roles/{role}", tag = "Roles",
    params(("role" = String, Path, description = "Its name")),
    responses((status = 200, description = "The role; its revision is the ETag", body = RoleDetail)))]
pub async fn show(office: Office) -> Result<HttpResponse, Problem> {
    let detail = roles::show(&office.desk, &office.path::<String>()?).await?;
    Ok(tagged(&revision(&detail.role), &detail))
}

/// Changes what the body names; the rest stays. With `If-Match` only if nobody changed it meanwhile.
#[utoipa::path(patch, path = "/api/v1/admin/roles/{role}", tag = "Roles", request_body = RoleChange,
    params(("role" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = RoleView)))]
pub async fn update(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let change: RoleChange = office.change(payload).await?;
    let changed = roles::update(&office.desk, &office.path::<String>()?, change, office.condition()).await?;
    Ok(tagged(&revision(&changed), &changed))
}

/// Deletes a role; whoever held it loses it.
#[utoipa::path(delete, path = "/api/v1/admin/roles/{role}", tag = "Roles",
    params(("role" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 204, description = "Deleted")))]
pub async fn delete(office: Office) -> Result<HttpResponse, Problem> {
    roles::delete(&office.desk, &office.path::<String>()?, office.condition()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives an account a role. Who has it already keeps it.
#[utoipa::path(put, path = "/api/v1/admin/users/{user}/roles/{role}", tag = "Roles",
    params(("user" = String, Path, description = "The account's id, username or address"),
        ("role" = String, Path, description = "The role's name")),
    responses((status = 200, description = "What the account was given", body = HeldRoles)))]
pub async fn assign_to_user(office: Office) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let (user, role) = office.path::<(String, String)>()?;
    Ok(shown(&roles::assign(&office.desk, &role, &HolderRef::User(user)).await?))
}

/// Takes a role from an account. Who has it not is left alone.
#[utoipa::path(delete, path = "/api/v1/admin/users/{user}/roles/{role}", tag = "Roles",
    params(("user" = String, Path, description = "The account's id, username or address"),
        ("role" = String, Path, description = "The role's name")),
    responses((status = 200, description = "What the account still has", body = HeldRoles)))]
pub async fn take_from_user(office: Office) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let (user, role) = office.path::<(String, String)>()?;
    Ok(shown(&roles::remove(&office.desk, &role, &HolderRef::User(user)).await?))
}

/// Gives a client a role, for the tokens it asks for on its own behalf.
#[utoipa::path(put, path = "/api/v1/admin/clients/{client_id}/roles/{role}", tag = "Roles",
    params(("client_id" = String, Path, description = "The client's identifier"),
        ("role" = String, Path, description = "The role's name")),
    responses((status = 200, description = "What the client was given", body = HeldRoles)))]
pub async fn assign_to_client(office: Office) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let (client, role) = office.path::<(String, String)>()?;
    Ok(shown(&roles::assign(&office.desk, &role, &HolderRef::Client(client)).await?))
}

/// Takes a role from a client.
#[utoipa::path(delete, path = "/api/v1/admin/clients/{client_id}/roles/{role}", tag = "Roles",
    params(("client_id" = String, Path, description = "The client's identifier"),
        ("role" = String, Path, description = "The role's name")),
    responses((status = 200, description = "What the client still has", body = HeldRoles)))]
pub async fn take_from_client(office: Office) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let (client, role) = office.path::<(String, String)>()?;
    Ok(shown(&roles::remove(&office.desk, &role, &HolderRef::Client(client)).await?))
}
