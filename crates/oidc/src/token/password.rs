//! A person's name and password, sent by an application of ours (RFC 6749 §4.3). RFC 9700 §2.4 advises against it, so a
//! client must be given it.
//!
//! Whether name and password are right is not decided here: the server asks what the sign-in page asks.

use super::issue::{Issue, Target};
use crate::{
    call::Params,
    change::{Change, Event, EventKind, EventResult, NewGrant, NewRefresh, Outcome},
    claims::ClaimsRequest,
    client::{Client, GRANT_REFRESH},
    error::{ErrorCode, OAuthError},
    grant::{Confirmation, Grant, GrantKind, GrantState},
    id::GrantId,
    realm::Realm,
    scope::Scopes,
    secret::{DerivationKey, Secret},
    subject::{Account, Person},
    turn::Turn,
};

/// RFC 6749 §4.3.2: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRequest {
    /// Who, as the person typed it.
    pub username: Secret,
    /// The password.
    pub password: Secret,
    /// What is asked for: within what the client may ask for.
    pub scopes: Scopes,
}

impl PasswordRequest {
    pub(super) fn read(params: &Params, client: &Client) -> Result<Self, OAuthError> {
        let text =
            |name, missing| params.get(name).map(Secret::new).ok_or_else(|| OAuthError::invalid_request(missing));
        let (username, password) = (text("username", "username is missing")?, text("password", "password is missing")?);
        let scopes = match params.get("scope").map(str::parse::<Scopes>) {
            None => client.scopes.clone(),
            Some(Ok(asked)) if client.scopes.covers(&asked) => asked,
            Some(_) => {
                let description = "scope asks for what this client is not registered for";
                return Err(OAuthError::new(ErrorCode::InvalidScope, description));
            }
        };
        Ok(Self { username, password, scopes: client.permitted(&scopes) })
    }
}

/// The person, whose name and password were right.
#[derive(Debug)]
pub struct Proven {
    /// The account.
    pub account: Account,
    /// What claims of the person are made of.
    pub person: Person,
    /// The context reached.
    pub acr: &'static str,
    /// The methods used.
    pub amr: Vec<String>,
}

/// Protocol T7: the one answer to whatever is wrong with name, password, account or a second factor.
pub fn refused() -> OAuthError {
    OAuthError::invalid_grant("the username, email address or password is not right")
}

/// Decides on a grant that hangs on no session: it ends when what the account gave ends, or with its last token.
pub fn decide(
    request: &PasswordRequest,
    client: &Client,
    (proven, target): (Proven, &Target),
    pairwise: &DerivationKey,
    (realm, turn): (&Realm, &mut Turn),
) -> Outcome<Change, Issue> {
    let Proven { account, person, acr, amr } = proven;
    // who may not use the application is told nothing of the password.
    if !client.takes_passwords() || !client.admits(&person.roles) {
        let event = Event {
            kind: EventKind::AccessRefused,
            result: EventResult::Refused,
            account: Some(account.id),
            client: Some(client.key),
            session: None,
            grant: None,
            detail: None,
        };
        return Outcome { changes: vec![Change::Audit(event)], verdict: Err(refused()) };
    }
    let now = turn.now();
    let grant = Grant {
        id: GrantId(turn.uuid()),
        kind: GrantKind::Password,
        client: client.key,
        account: account.id,
        subject: client.subject_of(&account, pairwise),
        session: None,
        sid: None,
        scopes: request.scopes.clone(),
        resources: target.resources.clone(),
        claims: ClaimsRequest::default(),
        redirect_uri: String::new(),
        redirect_uri_sent: false,
        challenge: None,
        nonce: None,
        auth_time: now,
        acr: acr.to_owned(),
        amr,
        offline: true,
        confirmation: Confirmation::None,
        state: GrantState::Active,
    };
    let refresh = client.may_use_grant(GRANT_REFRESH).then(|| {
        let (token, expires) = (turn.secret(), now + realm.policy.refresh_token_lifetime);
        (NewRefresh { grant: grant.id, client: client.key, digest: token.digest(), at: now, expires }, token)
    });
    let access_until = now + target.apis.lifetime(realm.policy.access_token_lifetime);
    let issue = Issue::new(client, &grant, (&request.scopes, target), &account, (realm, turn));
    let issue = issue.with_person(client, &grant, &person);
    let event = Event::of_grant(EventKind::PasswordGranted, EventResult::Success, &grant);
    let refresh_until = refresh.as_ref().map(|(new, _)| new.expires);
    let generation = account.generation;
    let new = NewGrant { grant, generation, code: None, access_until: Some(access_until), refresh_until, at: now };
    let mut changes = vec![Change::IssueGrant(Box::new(new))];
    let refresh = refresh.map(|(new, token)| {
        changes.push(Change::IssueRefresh(new));
        token
    });
    changes.push(Change::Audit(event));
    Outcome { changes, verdict: Ok(issue.with_refresh(refresh)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{ClientAuth, ClientSource, GRANT_PASSWORD},
        fixtures::{account, client, key, now, realm, turn},
        token::{self, GrantRequest},
    };

    fn own() -> Client {
        Client { first_party: true, grant_types: vec![GRANT_PASSWORD.into(), GRANT_REFRESH.into()], ..client() }
    }

    fn read(client: &Client, body: &str) -> Result<PasswordRequest, ErrorCode> {
        match token::read(&Params::decode(format!("grant_type=password&{body}").as_bytes()), client) {
            Ok(GrantRequest::Password(request)) => Ok(request),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code),
        }
    }

    fn run(client: &Client, roles: &[&str]) -> Outcome<Change, Issue> {
        let request = read(&own(), "username=ada&password=p").unwrap();
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        let person = Person { roles, ..Person::default() };
        let proven = Proven { account: account(), person, acr: "1", amr: vec!["pwd".into()] };
        decide(&request, client, (proven, &Target::default()), &key(), (&realm(), &mut turn()))
    }

    /// T7, RFC 9700 §2.4: only a confidential client of our own that was given it; whoever else asks is refused before
    /// anything is looked at.
    #[test]
    fn whose_clients_may_send_passwords() {
        let good = "username=ada&password=p";
        assert!(read(&own(), good).is_ok());
        for other in [
            Client { first_party: false, ..own() },
            Client { auth: ClientAuth::None, ..own() },
            Client { source: ClientSource::Dynamic, ..own() },
            Client { grant_types: vec![GRANT_REFRESH.into()], ..own() },
        ] {
            assert_eq!(read(&other, good), Err(ErrorCode::UnauthorizedClient), "{other:?}");
            assert_eq!(run(&other, &[]).verdict.unwrap_err(), refused(), "{other:?}");
        }
    }

    /// T3, T7: what must be sent, once; scopes are the client's, and none beyond.
    #[test]
    fn what_is_sent() {
        for bad in ["username=ada", "password=p", "username=&password=p", "username=a&username=b&password=p"] {
            assert_eq!(read(&own(), bad), Err(ErrorCode::InvalidRequest), "{bad}");
        }
        for (scope, expected) in [
            ("", Ok("email offline_access openid profile")),
            ("&scope=openid", Ok("openid")),
            ("&scope=openid+admin", Err(ErrorCode::InvalidScope)),
        ] {
            let read = read(&own(), &format!("username=ada&password=p{scope}"));
            assert_eq!(read.map(|request| request.scopes.to_string()), expected.map(str::to_owned), "{scope}");
        }
        let request = read(&own(), "username=ada&password=hunter2").unwrap();
        assert!(!format!("{request:?}").contains("hunter2") && !format!("{request:?}").contains("ada"));
    }

    /// T6, T7: a grant without a session, an ID token without `sid`, a refresh token where the registration has that.
    #[test]
    fn what_is_given() {
        let outcome = run(&own(), &[]);
        let [Change::IssueGrant(new), Change::IssueRefresh(refresh), Change::Audit(event)] = &*outcome.changes else {
            panic!("{:?}", outcome.changes)
        };
        assert_eq!((new.grant.kind, new.grant.session, &new.grant.sid), (GrantKind::Password, None, &None));
        assert_eq!((new.grant.auth_time, new.refresh_until), (now(), Some(refresh.expires)));
        assert_eq!((event.kind, event.grant), (EventKind::PasswordGranted, Some(new.grant.id)));
        assert!(outcome.verdict.is_ok() && new.grant.to_engine("app").is_some(), "it can be refreshed");
        let alone = run(&Client { grant_types: vec![GRANT_PASSWORD.into()], ..own() }, &[]);
        assert!(matches!(&*alone.changes, [Change::IssueGrant(new), Change::Audit(_)] if new.refresh_until.is_none()));
    }

    /// whoever may not use the application is answered as by a wrong password, and the audit log says why.
    #[test]
    fn who_may_not_use_it() {
        let mut limited = own();
        limited.metadata.access_roles = vec!["staff".into()];
        assert!(run(&limited, &["staff"]).verdict.is_ok());
        let outcome = run(&limited, &["user"]);
        assert_eq!(outcome.verdict.unwrap_err(), refused());
        assert!(matches!(&*outcome.changes, [Change::Audit(event)] if event.kind == EventKind::AccessRefused));
    }
}
