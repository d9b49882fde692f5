//! `signet apply`: makes APIs, roles and clients as a file says, in one transaction (R-69a).
//!
//! The plan is what the same work writes, taken back: whatever would refuse the change refuses the plan.

mod roles;
mod secrets;
mod state;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use serde::Serialize;
use signet_oidc::{
    client::ClientSource,
    id::ClientId,
    jose::Alg,
    secret::{Digest, Secret},
};
use signet_storage::{clients::ClientFilter, resources::ResourceFilter};

use super::{
    Act, AdminError, Condition, Desk, Refusal,
    clients::{self, Sectors},
    keys, resources,
};
use crate::startup::PLAYGROUND_CLIENT;

pub use secrets::Secrets;
pub use state::{ClientState, MAX_BYTES, Section, State};

/// What is done with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It goes.
    Delete,
    /// It is as the file says.
    Unchanged,
}

/// One thing and what is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// `resource`, `role` or `client`.
    pub kind: &'static str,
    /// Which one.
    pub name: String,
    /// The members that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// Everything that is done, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Plan(pub Vec<Step>);

impl Plan {
    /// The steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.0.iter().filter(|step| step.action != Action::Unchanged)
    }

    /// Whether everything is as the file says.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// Differs wherever another change would be made.
    pub fn fingerprint(&self) -> String {
        let changes: Vec<&Step> = self.changes().collect();
        Digest::of(format!("{changes:?}").as_bytes()).to_text()
    }

    fn note(&mut self, action: Action, kind: &'static str, name: &str, changed: Vec<String>) {
        self.0.push(Step { action, kind, name: name.to_owned(), changed });
    }
}

/// What was done, and the secrets that were made.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// What was done.
    pub plan: Plan,
    /// New secrets by client; they are nowhere else.
    pub secrets: Vec<(String, Secret)>,
}

/// What [`apply`] would do. Nothing is changed.
pub async fn plan(desk: &Desk, state: State, secrets: Secrets) -> Result<Plan, AdminError> {
    let sectors = sectors(desk, &state).await?;
    planned(desk, state, secrets, sectors).await
}

/// What is at the addresses of the sectors that the file names anew.
async fn sectors(desk: &Desk, state: &State) -> Result<Sectors, AdminError> {
    let mut found = Sectors::default();
    for client in state.clients.iter().flat_map(|section| &section.items) {
        let looked = clients::sectors::of_entry(desk, &mut found, client.to_new()).await;
        looked.map_err(|error| within(CLIENT, &client.client_id, error))?;
    }
    Ok(found)
}

async fn planned(desk: &Desk, state: State, secrets: Secrets, sectors: Sectors) -> Result<Plan, AdminError> {
    let planned = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&planned);
    let taken_back = desk
        .act(move |act| {
            let applied = work(act, &state, (&secrets, &sectors))?;
            if let Ok(mut kept) = kept.lock() {
                *kept = Some(applied.plan);
            }
            Err::<(), _>(AdminError::conflict("planned", "Nothing was changed."))
        })
        .await;
    let planned = planned.lock().ok().and_then(|mut planned| planned.take());
    match (planned, taken_back) {
        (Some(plan), Err(AdminError::Conflict(_))) => Ok(plan),
        (_, Err(error)) => Err(error),
        (_, Ok(())) => Ok(Plan::default()),
    }
}

/// Does what the file says, all of it or nothing. With `expected`, the fingerprint of a plan that somebody saw, it is
/// refused when something else would be done now.
pub async fn apply(
    desk: &Desk,
    state: State,
    secrets: Secrets,
    expected: Option<String>,
) -> Result<Applied, AdminError> {
    let algs = |name: &Option<String>| name.as_deref().and_then(Alg::parse);
    let clients = state.clients.iter().flat_map(|section| &section.items);
    let resources = state.resources.iter().flat_map(|section| &section.items);
    let wanted: Vec<Alg> = clients
        .flat_map(|client| clients::signing_algs(&client.members))
        .chain(resources.filter_map(|resource| algs(&resource.access_token_alg)))
        .collect();
    let sectors = sectors(desk, &state).await?;
    if !wanted.is_empty() {
        // A file that is refused leaves no key behind.
        planned(desk, state.clone(), secrets.clone(), sectors.clone()).await?;
        keys::provide(desk, &wanted).await?;
    }
    desk.act(move |act| {
        let applied = work(act, &state, (&secrets, &sectors))?;
        if expected.is_some_and(|expected| expected != applied.plan.fingerprint()) {
            return Err(AdminError::conflict(
                "changed_meanwhile",
                "Something was changed since the plan was shown. Nothing was done: run it again and look at the new plan.",
            ));
        }
        Ok(applied)
    })
    .await
}

/// What was read before the transaction.
type Read<'a> = (&'a Secrets, &'a Sectors);

fn work(act: &mut Act<'_, '_>, state: &State, read: Read<'_>) -> Result<Applied, AdminError> {
    state.check().map_err(|message| AdminError::invalid("invalid_state", "state", format!("{message}.")))?;
    // One at a time: what the second one finds is what the first one left.
    act.tx.take_turn_to_apply()?;
    let mut applied = Applied::default();
    if let Some(section) = &state.resources {
        apply_resources(act, section, &mut applied.plan)?;
    }
    if let Some(section) = &state.roles {
        roles::apply(act, section, &mut applied.plan)?;
    }
    if let Some(section) = &state.clients {
        apply_clients(act, section, read, &mut applied)?;
    }
    // An API goes once no client of the file may ask for it any more.
    if let Some(section) = state.resources.as_ref().filter(|section| section.prune) {
        prune_resources(act, section, &mut applied.plan)?;
    }
    // A role goes once no client of the file is limited to it any more.
    if let Some(section) = state.roles.as_ref().filter(|section| section.prune) {
        roles::prune(act, section, &mut applied.plan)?;
    }
    Ok(applied)
}

/// Says which entry of the file is refused.
fn within(kind: &'static str, name: &str, error: AdminError) -> AdminError {
    let place = |refusal: Refusal| {
        let member = refusal.field.map(|field| format!(": {field}")).unwrap_or_default();
        let shown: String = name.chars().take(120).collect();
        Refusal { message: format!("{kind} {shown:?}{member}: {}", refusal.message).into(), ..refusal }
    };
    match error {
        // The file names it: what is missing is something it refers to.
        AdminError::NotFound(refusal) | AdminError::Invalid(refusal) => AdminError::Invalid(place(refusal)),
        AdminError::Forbidden(refusal) => AdminError::Forbidden(place(refusal)),
        AdminError::Conflict(refusal) => AdminError::Conflict(place(refusal)),
        other => other,
    }
}

fn owned(names: &[&'static str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What the plan calls a client.
const CLIENT: &str = "client";
/// What the plan calls an API.
const RESOURCE: &str = "resource";

fn apply_resources(
    act: &mut Act<'_, '_>,
    section: &Section<resources::NewResource>,
    plan: &mut Plan,
) -> Result<(), AdminError> {
    for wanted in &section.items {
        let name = &wanted.identifier;
        let refused = |error| within(RESOURCE, name, error);
        let Some(stored) = act.tx.lock_resource(name)? else {
            resources::create_in(act, wanted.clone()).map_err(refused)?;
            plan.note(Action::Create, RESOURCE, name, Vec::new());
            continue;
        };
        let changed = resources::write(act, &stored, wanted.clone()).map_err(refused)?.1;
        let action = if changed.is_empty() { Action::Unchanged } else { Action::Update };
        plan.note(action, RESOURCE, name, owned(&changed));
    }
    Ok(())
}

/// Removes the APIs that the file does not list.
fn prune_resources(
    act: &mut Act<'_, '_>,
    section: &Section<resources::NewResource>,
    plan: &mut Plan,
) -> Result<(), AdminError> {
    let listed: BTreeSet<&String> = section.items.iter().map(|wanted| &wanted.identifier).collect();
    for gone in act.tx.resources(&ResourceFilter { limit: i64::from(i32::MAX), ..ResourceFilter::default() })? {
        if !listed.contains(&gone.identifier) {
            resources::delete_in(act, &gone.identifier, &Condition::Any)
                .map_err(|error| within(RESOURCE, &gone.identifier, error))?;
            plan.note(Action::Delete, RESOURCE, &gone.identifier, Vec::new());
        }
    }
    Ok(())
}

fn apply_clients(
    act: &mut Act<'_, '_>,
    section: &Section<ClientState>,
    read: Read<'_>,
    applied: &mut Applied,
) -> Result<(), AdminError> {
    let mut listed = BTreeSet::new();
    for wanted in &section.items {
        let name = &wanted.client_id;
        listed.insert(name.clone());
        let (action, changed, made) = apply_client(act, wanted, read).map_err(|error| within(CLIENT, name, error))?;
        applied.plan.note(action, CLIENT, name, changed);
        applied.secrets.extend(made.map(|secret| (name.clone(), secret)));
    }
    if !section.prune {
        return Ok(());
    }
    for gone in act.tx.clients(&ClientFilter { limit: i64::from(i32::MAX), ..ClientFilter::default() })? {
        let id = gone.client.id;
        let ours = gone.client.source == ClientSource::Admin && id.as_str() != PLAYGROUND_CLIENT;
        if ours && !listed.contains(id.as_str()) {
            clients::delete_in(act, &id, &Condition::Any).map_err(|error| within(CLIENT, id.as_str(), error))?;
            applied.plan.note(Action::Delete, CLIENT, id.as_str(), Vec::new());
        }
    }
    Ok(())
}

/// Whether a client of that method can have that secret.
fn check_given(method: Option<&str>, given: &Secret) -> Result<(), AdminError> {
    let wrong = |message| Err(AdminError::invalid("invalid_client_metadata", "token_endpoint_auth_method", message));
    match method {
        Some("none" | "private_key_jwt") => {
            wrong("A client with `none` or `private_key_jwt` has no secret: take secret_file or secret_env away.")
        }
        // RFC 7518 §3.2: a key is as long as the hash, here the longest.
        Some("client_secret_jwt") if given.expose().len() < 64 => {
            wrong("client_secret_jwt needs a secret of 64 characters or more, such as `openssl rand -hex 32` makes.")
        }
        _ => Ok(()),
    }
}

/// What is done with one client, what changes, and the secret that was made for it.
fn apply_client(
    act: &mut Act<'_, '_>,
    wanted: &ClientState,
    (secrets, sectors): Read<'_>,
) -> Result<(Action, Vec<String>, Option<Secret>), AdminError> {
    let given = secrets.get(&wanted.client_id);
    if let Some(given) = &given {
        check_given(wanted.token_endpoint_auth_method.as_deref(), given)?;
    }
    let id = ClientId::parse(&wanted.client_id).ok_or_else(|| {
        AdminError::invalid("invalid_client_metadata", "client_id", "Use 1 to 2048 bytes, no control characters.")
    })?;
    if act.tx.lock_client(&id)?.is_none() {
        let made = clients::create_in(act, wanted.to_new(), given.as_ref(), sectors)?;
        return Ok((Action::Create, Vec::new(), made.client_secret));
    }
    let record = clients::locked(act, &id)?;
    let settings = clients::Settings::of_new(wanted.to_new())?.check(&act.desk.realm, &record.client.source)?;
    let mut changed = settings.differences(&clients::Settings::of(&record.client));
    let written = clients::write_settings(act, record, settings, (given.clone(), sectors))?;
    if let Some(given) = given
        && clients::set_secret(act, &id, &given)?
    {
        changed.push("client_secret".to_owned());
    }
    let action = if changed.is_empty() { Action::Unchanged } else { Action::Update };
    Ok((action, changed, written.client_secret))
}
