//! Clients that register themselves, and the tokens that let them, on PostgreSQL and on the embedded database.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails the test, also in the helpers")]

#[path = "audit/world.rs"]
#[expect(dead_code, reason = "what the tests of the audit log do besides")]
mod world;

use chrono::Duration;
use signet_oidc::Turn;
use signet_oidc::client::{
    ApplicationType, Client, ClientAuth, ClientMetadata, ClientSecret, ClientSource, GRANT_CODE, ResponseType,
};
use signet_oidc::id::{ClientId, ClientKey};
use signet_oidc::policy::ClientPolicy;
use signet_oidc::secret::{Digest, Secret};
use signet_storage::registrations::InitialAccessToken;
use signet_storage::store::Abort;
use signet_storage::sweep::{CLIENTS, Sweep};
use uuid::Uuid;
use world::{World, start};

fn turn(second: i64) -> Turn {
    let mut seed = [5; 32];
    seed[..8].copy_from_slice(&second.to_be_bytes());
    Turn::new(start() + Duration::seconds(second), seed)
}

fn client(id: &str, source: ClientSource) -> Client {
    Client {
        key: ClientKey(0),
        id: ClientId::parse(id).unwrap(),
        name: "App".into(),
        source,
        auth: ClientAuth::SecretBasic(ClientSecret::Hashed(Digest::of(b"secret"))),
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
            backchannel_logout_uri: Some("https://app.example/b".into()),
            software_id: Some("x".into()),
            localized: [("client_name#de".to_owned(), "Anwendung".to_owned())].into(),
            ..ClientMetadata::default()
        },
        generation: 0,
        disabled: false,
    }
}

async fn put(world: &World, number: u128, uses_left: i32, seconds: i64) -> (Uuid, Digest) {
    let (id, hash) = (Uuid::from_u128(number), Secret::new(format!("token {number}")).digest());
    let token = InitialAccessToken {
        id,
        note: "For a test".into(),
        uses_left,
        created_at: start(),
        expires_at: start() + Duration::seconds(seconds),
        created_by: "operator:ada".into(),
    };
    world.store().transaction(move |tx| tx.put_initial_access_token(&token, &hash)).await.unwrap();
    (id, hash)
}

async fn register(world: &World, id: &str, second: i64) -> Client {
    let (new, token) = (client(id, ClientSource::Dynamic), Digest::of(id.as_bytes()));
    let registered = world.store().transaction(move |tx| tx.register_client(&new, &token, &mut turn(second))).await;
    registered.unwrap().unwrap().client
}

async fn tokens_are_spent(world: World) {
    let (id, hash) = put(&world, 1, 3, 60).await;
    let (_, over) = put(&world, 2, 1, 0).await;
    let now = start() + Duration::seconds(1);
    let spend = async |hash: Digest, now| {
        let spent = world.store().transaction(move |tx| tx.spend_initial_access_token(&hash, now)).await.unwrap();
        spent.map(|token| (token.id, token.uses_left))
    };
    let known = async |hash: Digest, now| {
        world.store().read(move |tx| tx.knows_initial_access_token(&hash, now)).await.unwrap()
    };
    assert!(known(hash, now).await && !known(over, now).await && !known(Digest::of(b"other"), now).await);
    assert_eq!(spend(over, now).await, None, "it is over");
    assert_eq!(spend(Digest::of(b"other"), now).await, None, "nobody's");
    assert_eq!(spend(hash, start() + Duration::seconds(60)).await, None, "its end is past");
    assert_eq!(spend(hash, now).await, Some((id, 2)));
    // What is taken back costs nothing.
    let refused = world.store().attempt(move |tx| {
        assert_eq!(tx.spend_initial_access_token(&hash, now)?.map(|token| token.uses_left), Some(1));
        Err::<(), _>(Abort::Refused("not today"))
    });
    assert!(matches!(refused.await, Err(Abort::Refused("not today"))));
    assert_eq!(spend(hash, now).await, Some((id, 1)));
    // Many at once get what is left, and no more.
    let racing = (0..8).map(|_| {
        let store = world.store().clone();
        tokio::spawn(async move { store.transaction(move |tx| tx.spend_initial_access_token(&hash, now)).await })
    });
    let mut given = 0;
    for one in racing.collect::<Vec<_>>() {
        given += usize::from(one.await.unwrap().unwrap().is_some());
    }
    assert_eq!(given, 1);
    assert_eq!((spend(hash, now).await, known(hash, now).await), (None, false));
    let list = async |after: Option<Uuid>, limit| {
        let found = world.store().read(move |tx| tx.initial_access_tokens(after, limit)).await.unwrap();
        found.into_iter().map(|token| (token.id.as_u128(), token.uses_left)).collect::<Vec<_>>()
    };
    assert_eq!((list(None, 9).await, list(None, 1).await), (vec![(1, 0), (2, 1)], vec![(1, 0)]));
    assert_eq!(list(Some(id), 9).await, [(2, 1)]);
    let day = start() + Duration::days(1) + Duration::seconds(30);
    let swept = world.store().transaction(move |tx| tx.sweep(Sweep::InitialAccessTokens, day)).await.unwrap();
    assert_eq!((swept, list(None, 9).await), (1, vec![(1, 0)]), "a day after its end");
    let gone = async || {
        let gone = world.store().transaction(move |tx| tx.delete_initial_access_token(id)).await.unwrap();
        gone.map(|token| token.note)
    };
    assert_eq!((gone().await.as_deref(), gone().await), (Some("For a test"), None));
    world.end().await;
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
async fn clients_are_found_by_their_token(world: World) {
    let made = register(&world, "own", 0).await;
    assert_eq!((&made.source, &made.metadata), (&ClientSource::Dynamic, &client("x", ClientSource::Dynamic).metadata));
    let admins = client("admins", ClientSource::Admin);
    world.store().transaction(move |tx| tx.create_client(&admins, &mut turn(0))).await.unwrap();
    let find = async |id: &str| {
        let id = ClientId::parse(id).unwrap();
        let (found, locked) = world
            .store()
            .transaction(move |tx| Ok((tx.registered_client(&id)?, tx.lock_registered_client(&id)?)))
            .await
            .unwrap();
        assert_eq!(found.is_some(), locked.is_some());
        found
    };
    let found = find("own").await.unwrap();
    assert_eq!((found.token, found.record.client.key), (Digest::of(b"own"), made.key));
    assert_ne!(found.token, Digest::of(b"other"));
    assert!(find("admins").await.is_none() && find("nobody").await.is_none());
    // What administration writes over it leaves the token.
    let renamed = Client { name: "Other".into(), ..made.clone() };
    world.store().transaction(move |tx| tx.update_client(&renamed, &mut turn(1))).await.unwrap();
    let found = find("own").await.unwrap();
    assert_eq!((found.token, found.record.client.name.as_str()), (Digest::of(b"own"), "Other"));
    let again = client("own", ClientSource::Dynamic);
    let taken = world.store().transaction(move |tx| tx.register_client(&again, &Digest::of(b"x"), &mut turn(2))).await;
    assert!(taken.unwrap().is_none(), "an identifier is given once");
    assert_eq!(find("own").await.unwrap().token, Digest::of(b"own"));
    let count = async || world.store().read(|tx| tx.count_registered_clients()).await.unwrap();
    assert_eq!(count().await, 1, "those of administrators do not count");
    world.store().transaction(move |tx| tx.delete_client(&made, start())).await.unwrap();
    assert_eq!(count().await, 0);
    world.end().await;
}

async fn the_unused_are_swept(world: World) {
    let most = usize::try_from(CLIENTS).unwrap();
    for n in 0..most + 2 {
        register(&world, &format!("unused{n}"), 0).await;
    }
    let used = register(&world, "used", 0).await;
    let fresh = register(&world, "fresh", 7_200).await;
    let admins = client("admins", ClientSource::Admin);
    world.store().transaction(move |tx| tx.create_client(&admins, &mut turn(0))).await.unwrap();
    let note = async |second: i64| {
        let (key, now) = (used.key, start() + Duration::seconds(second));
        world.store().transaction(move |tx| tx.note_client_use(key, now)).await.unwrap();
        let noted = "SELECT (extract(epoch FROM last_used_at) - 1790000000)::bigint AS n FROM clients \
                     WHERE client_id = 'used'";
        world.number(noted).await
    };
    assert_eq!(note(3_600).await, 0, "within the hour nothing is written");
    assert_eq!(note(3_601).await, 3_601);
    let since = start() + Duration::seconds(3_000);
    let mut swept = Vec::new();
    for second in [8_000, 8_001] {
        let gone = world.store().transaction(move |tx| tx.sweep_clients(since, &mut turn(second))).await;
        swept.push(gone.unwrap());
    }
    assert_eq!(swept, [most, 2], "in small batches");
    let left = "SELECT count(*) AS n FROM clients WHERE client_id IN ('used', 'fresh', 'admins')";
    assert_eq!(world.number(left).await, 3, "{fresh:?}");
    assert_eq!(world.number("SELECT count(*) AS n FROM clients WHERE client_id LIKE 'unused%'").await, 0);
    let rows = "SELECT count(*) AS n FROM audit WHERE event = 'client_registration.expired' AND actor_kind = 'system' \
                AND object LIKE 'client:unused%'";
    let told = "SELECT count(*) AS n FROM notices WHERE key LIKE 'unused%'";
    let all = i64::try_from(most + 2).unwrap();
    assert_eq!((world.number(rows).await, world.number(told).await), (all, 2 * all));
    world.end().await;
}

/// R1: an initial access token counts as often as it says, until its end, also when many come at once; what is taken
/// back costs none of it.
#[tokio::test]
async fn tokens_are_spent_on_postgresql() {
    tokens_are_spent(World::server().await).await;
}

/// R1: the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn tokens_are_spent_on_the_embedded_database() {
    tokens_are_spent(World::embedded().await).await;
}

/// R1: a registration is found with the hash of its token, which nothing else changes; others are not.
#[tokio::test]
async fn clients_are_found_on_postgresql() {
    clients_are_found_by_their_token(World::server().await).await;
}

/// R1: the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn clients_are_found_on_the_embedded_database() {
    clients_are_found_by_their_token(World::embedded().await).await;
}

/// clients that nobody uses go in small batches, each with its row and the word to other nodes; use is noted once
/// an hour.
#[tokio::test]
async fn the_unused_are_swept_on_postgresql() {
    the_unused_are_swept(World::server().await).await;
}

/// the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn the_unused_are_swept_on_the_embedded_database() {
    the_unused_are_swept(World::embedded().await).await;
}
