//! Workers that register people, sign them in, consent, exchange and refresh, and write a ledger of it.

use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use super::agent::{Agent, Broken, Target, location};
use super::ledger::{Grant, Person, Redeemed};
use crate::support::html::Form;
use crate::support::jar::Jar;
use crate::support::prelude::*;

/// What every authorization request here asks for.
pub const SCOPE: &str = "openid profile email offline_access";
/// Workers at once.
const WORKERS: usize = 4;

/// Workers under way.
#[derive(Debug)]
pub struct Traffic {
    /// Where they go, and what they have met.
    pub target: Target,
    workers: JoinSet<Vec<Person>>,
}

impl Traffic {
    /// Sets the workers going.
    pub fn start(signet: &Signet, client: &Client) -> Self {
        let target = Target::new(signet, client);
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(work(target.clone()));
        }
        Self { target, workers }
    }

    /// Waits until that many promises were received.
    pub async fn acknowledged(&self, count: usize) {
        let progress = &self.target.progress;
        eventually(PATIENCE, "traffic goes on", async || {
            assert!(progress.all_wrong().is_empty(), "{:?}", progress.all_wrong());
            (progress.count() >= count).then_some(())
        })
        .await;
    }

    /// Ends the workers; gives everybody to whom something was promised. Panics where an answer was wrong.
    pub async fn finish(self) -> Vec<Person> {
        self.target.progress.stop.store(true, Ordering::Relaxed);
        let people = self.workers.join_all().await.into_iter().flatten().collect();
        let wrong = self.target.progress.all_wrong();
        assert!(wrong.is_empty(), "{wrong:?}");
        people
    }
}

/// One person after another, until the connection breaks or the traffic is stopped.
async fn work(target: Target) -> Vec<Person> {
    let mut people = Vec::new();
    while !target.progress.stop.load(Ordering::Relaxed) {
        let mut person = Person::new(User::named(&format!("p{}", &Uuid::new_v4().simple().to_string()[..16])));
        let lived = live(&mut person, &target).await;
        if person.registered {
            people.push(person);
        }
        match lived {
            Ok(()) | Err(Broken::Unavailable) => {}
            Err(Broken::Gone | Broken::Wrong) => break,
        }
    }
    people
}

/// Two browsers of one person: the first registers and consents, the second signs in.
async fn live(person: &mut Person, target: &Target) -> Result<(), Broken> {
    let mut first = Agent::new(target, Jar::default());
    let request = AuthRequest::new(&target.client).with("scope", SCOPE);
    let page = first.open(&target.authorize(&request)).await?;
    let mut register = shown(target, page)?.url;
    register.set_path("/register");
    let page = first.open(&register).await?;
    let user = person.user.clone();
    let fields = [("username", &*user.username), ("email", &*user.email), ("password", &*user.password)];
    let reply = first.send(&form(target, page, &fields)?).await?;
    redirected(target, &reply)?;
    person.registered = true;
    person.sessions.push(first.jar.clone());
    target.progress.acknowledge();

    let page = first.follow(reply).await?;
    let reply = first.send(&form(target, page, &[("decision", "allow")])?).await?;
    let callback = redirected(target, &reply)?;
    person.consented = true;
    person.grants.push(grant(target, &callback, &request)?);
    target.progress.acknowledge();
    for grant in &mut person.grants {
        use_grant(grant, target).await?;
    }

    let mut second = Agent::new(target, Jar::default());
    let request = AuthRequest::new(&target.client).with("scope", SCOPE);
    let page = second.open(&target.authorize(&request)).await?;
    let fields = [("username", &*user.username), ("password", &*user.password)];
    let reply = second.send(&form(target, page, &fields)?).await?;
    redirected(target, &reply)?;
    person.sessions.push(second.jar.clone());
    target.progress.acknowledge();
    let callback = match second.follow(reply).await? {
        Landing::Left(callback) => callback,
        Landing::Page(page) => return Err(target.progress.wrong(format!("asked again: {page:?}"))),
    };
    person.grants.push(grant(target, &callback, &request)?);
    target.progress.acknowledge();
    match person.grants.last_mut() {
        Some(grant) => use_grant(grant, target).await,
        None => Ok(()),
    }
}

/// Redeems the code and refreshes twice.
async fn use_grant(grant: &mut Grant, target: &Target) -> Result<(), Broken> {
    grant.redeemed = Redeemed::InFlight;
    let page = target.exchange(&grant.code, &grant.verifier).await?;
    keep(grant, target, &page)?;
    grant.redeemed = Redeemed::Yes;
    target.progress.acknowledge();
    for _ in 0..2 {
        let Some(token) = grant.refresh.clone() else { break };
        let page = target.refresh(&token).await?;
        keep(grant, target, &page)?;
        target.progress.acknowledge();
    }
    Ok(())
}

/// Notes the tokens of an answer.
pub fn keep(grant: &mut Grant, target: &Target, page: &Page) -> Result<(), Broken> {
    let json: Value = serde_json::from_str(&page.body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    match (page.status.is_success(), text("access_token"), text("refresh_token")) {
        (true, Some(access), Some(refresh)) => {
            grant.access = Some(access);
            grant.refresh = Some(refresh);
            Ok(())
        }
        _ => Err(target.progress.wrong(format!("{} from the token endpoint: {}", page.status, page.body))),
    }
}

fn grant(target: &Target, callback: &Url, request: &AuthRequest) -> Result<Grant, Broken> {
    match flow::parameter(callback, "code") {
        Some(code) => Ok(Grant::new(code, request.verifier.clone())),
        None => Err(target.progress.wrong(format!("no code in {callback}"))),
    }
}

fn shown(target: &Target, landing: Landing) -> Result<Page, Broken> {
    match landing {
        Landing::Page(page) if page.status.is_success() => Ok(page),
        other => Err(target.progress.wrong(format!("no page: {other:?}"))),
    }
}

fn form(target: &Target, landing: Landing, fields: &[(&str, &str)]) -> Result<Form, Broken> {
    let page = shown(target, landing)?;
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let form = page.form(&names).ok_or_else(|| target.progress.wrong(format!("no form at {}", page.url)))?;
    Ok(form.with(fields))
}

fn redirected(target: &Target, page: &Page) -> Result<Url, Broken> {
    location(page).ok_or_else(|| target.progress.wrong(format!("{} at {}: {}", page.status, page.url, page.body)))
}
