//! Which applications somebody can start, on PostgreSQL and on the embedded database.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails the test, also in the helpers")]

#[path = "audit/world.rs"]
#[expect(dead_code, reason = "what the tests of the audit log do besides")]
mod world;

use signet_oidc::Turn;
use signet_oidc::client::{
    ApplicationType, Client, ClientAuth, ClientMetadata, ClientSource, GRANT_CODE, ResponseType,
};
use signet_oidc::id::{AccountId, ClientId, ClientKey};
use signet_oidc::policy::ClientPolicy;
use uuid::Uuid;
use world::{World, start};

const ADA: u128 = 1;
const BOB: u128 = 2;

fn client(name: &str, source: ClientSource, access_roles: &[&str]) -> Client {
    Client {
        key: ClientKey(0),
        id: ClientId::parse(name).unwrap(),
        name: name.into(),
        source,
        auth: ClientAuth::None,
        redirect_uris: vec!["https://app.example/cb".into()],
        post_logout_redirect_uris: vec![],
        grant_types: vec![GRANT_CODE.into()],
        response_types: vec![ResponseType::CODE],
        scopes: "openid".parse().unwrap(),
        first_party: false,
        application_type: ApplicationType::Web,
        default_audience: None,
        policy: ClientPolicy::default(),
        metadata: ClientMetadata {
            initiate_login_uri: Some(format!("https://app.example/{name}")),
            access_roles: access_roles.iter().map(|&role| role.to_owned()).collect(),
            ..ClientMetadata::default()
        },
        generation: 0,
        disabled: false,
    }
}

async fn put(world: &World, client: Client) -> Client {
    let mut turn = Turn::new(start(), [7; 32]);
    world.store().transaction(move |tx| tx.create_client(&client, &mut turn)).await.unwrap().unwrap().client
}

async fn found(world: &World, person: u128, roles: &[&str], limit: i64) -> Vec<String> {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    let account = AccountId(Uuid::from_u128(person));
    let all = world.store().read(move |tx| tx.startable(account, &roles, limit)).await.unwrap();
    for one in &all {
        assert_eq!(one.initiate_login_uri, format!("https://app.example/{}", one.client_id));
        assert_eq!(one.name, one.client_id);
    }
    all.into_iter().map(|one| one.name).collect()
}

async fn what_somebody_can_start(world: World) {
    for (name, id) in [("ada", ADA), ("bob", BOB)] {
        world
            .change(&format!(
                "INSERT INTO users (id, realm_id, subject, username, username_folded, email, email_folded, state, \
                 created_at, updated_at) SELECT '{}', min(id), '{name}', '{name}', '{name}', '{name}', '{name}', \
                 'active', now(), now() FROM realms",
                Uuid::from_u128(id)
            ))
            .await;
    }
    let (admin, dynamic) = (ClientSource::Admin, ClientSource::Dynamic);
    let mut clients = Vec::new();
    for made in [
        client("limited", admin.clone(), &["staff", "partner"]),
        client("Open", admin.clone(), &[]),
        client("odd", admin.clone(), &["a\"b", "ünï"]),
        client("allowed", dynamic.clone(), &[]),
        client("never", dynamic, &[]),
        Client { disabled: true, ..client("off", admin.clone(), &[]) },
        Client { metadata: ClientMetadata::default(), ..client("without", admin, &[]) },
    ] {
        clients.push(put(&world, made).await);
    }
    let document = "INSERT INTO clients (realm_id, client_id, name, source, fetched_at, auth_method, redirect_uris, \
                    post_logout_redirect_uris, grant_types, response_types, scopes, first_party, application_type, policy, \
                    metadata, created_at, updated_at) SELECT realm_id, 'doc', 'doc', 'document', now(), auth_method, \
                    redirect_uris, '{}', grant_types, response_types, scopes, false, 'web', policy, metadata, now(), now() \
                    FROM clients WHERE client_id = 'never'";
    world.change(document).await;
    let consents = format!(
        "INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at) SELECT realm_id, '{}', id, \
         '{{openid}}', now(), now() FROM clients WHERE client_id IN ('allowed', 'Open', 'off', 'without', 'limited')",
        Uuid::from_u128(ADA)
    );
    world.change(&consents).await;

    // The roles count here as they do where a code is given.
    let usable: Vec<&Client> = clients.iter().filter(|one| ["limited", "Open", "odd"].contains(&&*one.name)).collect();
    for roles in
        [&[] as &[&str], &["staff"], &["user", "partner"], &["Staff", "staff "], &["a\"b"], &["ünï", "x"], &[""]]
    {
        let held: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        let mut expected: Vec<&str> = usable.iter().filter(|one| one.admits(&held)).map(|one| &*one.name).collect();
        expected.sort_by_key(|name| name.to_lowercase());
        assert_eq!(found(&world, BOB, roles, 100).await, expected, "{roles:?}");
        expected.push("allowed");
        expected.sort_by_key(|name| name.to_lowercase());
        assert_eq!(found(&world, ADA, roles, 100).await, expected, "{roles:?}");
    }
    assert_eq!(found(&world, ADA, &["staff"], 2).await, ["allowed", "limited"], "the first by name");
    world.end().await;
}

/// R-68a, R-46: an administrator's client by roles, another by consent; none without an address or switched off.
#[tokio::test]
async fn what_somebody_can_start_on_postgresql() {
    what_somebody_can_start(World::server().await).await;
}

/// R-68a, R-46: the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn what_somebody_can_start_on_the_embedded_database() {
    what_somebody_can_start(World::embedded().await).await;
}
