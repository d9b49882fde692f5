//! What a person allowed a client (protocol A16).

use std::collections::BTreeSet;

use crate::{authorize::AuthorizeRequest, claims, scope::Scopes};

/// Scopes, single claims and APIs that were agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consented {
    /// Scopes.
    pub scopes: Scopes,
    /// Claims asked for by name, beyond what the scopes release.
    pub claims: BTreeSet<String>,
    /// Identifiers of APIs.
    pub resources: BTreeSet<String>,
}

impl Consented {
    /// What a request asks a person to agree to.
    pub fn asked_by(request: &AuthorizeRequest) -> Self {
        let asked = request.claims.userinfo.keys().chain(request.claims.id_token.keys());
        let about_the_person = |name: &&String| !claims::PROTOCOL.contains(&name.as_str());
        let released = |name: &&String| claims::scope_of(name).is_some_and(|scope| request.scopes.contains(scope));
        Self {
            scopes: request.scopes.clone(),
            claims: asked.filter(about_the_person).filter(|name| !released(name)).cloned().collect(),
            resources: request.resources.iter().cloned().collect(),
        }
    }

    /// Whether everything in `asked` was agreed to.
    pub fn covers(&self, asked: &Self) -> bool {
        self.scopes.covers(&asked.scopes)
            && asked.resources.is_subset(&self.resources)
            && asked.claims.iter().all(|name| {
                self.claims.contains(name) || claims::scope_of(name).is_some_and(|scope| self.scopes.contains(scope))
            })
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.claims.is_empty() && self.resources.is_empty()
    }
}
