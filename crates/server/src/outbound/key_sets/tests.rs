use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::{FutureExt as _, future::join_all};
use serde_json::json;

use super::*;
use crate::{
    config::settings,
    outbound::tests::target::{self, Target},
};

/// A set of one key (RFC 7517 appendix A.1) of that name.
fn set(kid: &str) -> String {
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y }] }).to_string()
}

/// Serves the set of the moment, or nothing good.
struct Server {
    target: Target,
    kid: Arc<Mutex<String>>,
    broken: Arc<AtomicBool>,
    sets: KeySets,
}

impl Server {
    fn start(cache: &'static str) -> Self {
        let kid = Arc::new(Mutex::new("one".to_owned()));
        let broken = Arc::new(AtomicBool::new(false));
        let (serves, breaks, times) = (Arc::clone(&kid), Arc::clone(&broken), AtomicUsize::new(0));
        let target = Target::start(move |_, out| {
            let body = set(&serves.lock().unwrap());
            let failures: [(&str, &str); 5] = [
                ("500 Broken", &body),
                ("200 OK", "<html>"),
                ("200 OK", "{\"keys\":[]}"),
                ("200 OK", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"),
                ("302 Found\r\nLocation: /", &body),
            ];
            let (status, body) = if breaks.load(Ordering::SeqCst) {
                failures[times.fetch_add(1, Ordering::SeqCst) % failures.len()]
            } else {
                ("200 OK", body.as_str())
            };
            target::answer(out, &format!("{status}\r\nCache-Control: {cache}"), body.as_bytes())
        });
        let settings = settings::Outbound {
            allow_private: true,
            trusted_ca: Some(target.authority.clone()),
            ..settings::Outbound::default()
        };
        let sets = KeySets::new(Arc::new(Outbound::new(&settings).unwrap()));
        Self { target, kid, broken, sets }
    }

    fn rotate(&self, kid: &str) {
        kid.clone_into(&mut self.kid.lock().unwrap());
    }

    async fn keys(&self, kid: Option<&str>, now: Instant) -> Result<Arc<ClientKeys>, Unavailable> {
        self.sets.keys(&self.target.url("/keys"), kid, now).await
    }

    /// Whether the set has the key named.
    async fn has(&self, kid: &str, now: Instant) -> bool {
        self.keys(Some(kid), now).await.is_ok_and(|keys| keys.knows(kid))
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// T2: a key that is not in the set leads to another fetch, at most one in 30 seconds; a key rotated to is found so.
#[tokio::test]
async fn keys_that_are_not_there() {
    let server = Server::start("max-age=3600");
    let begin = Instant::now();
    assert!(server.has("one", begin).await && server.keys(None, begin).await.is_ok());
    assert_eq!(server.target.hits(), 1);
    server.rotate("two");
    assert!(server.has("one", begin + SECOND).await, "nothing leads to a fetch");
    assert!(server.has("two", begin + SECOND).await);
    assert_eq!(server.target.hits(), 2);
    server.rotate("three");
    for (second, found, hits) in [(2, false, 2), (30, false, 2), (31, true, 3), (32, true, 3)] {
        assert_eq!(server.has("three", begin + SECOND * second).await, found, "{second}");
        assert_eq!(server.target.hits(), hits, "{second}");
    }
    assert!(!server.has("one", begin + SECOND * 33).await, "a key that is gone is gone");
}

/// T2: many at once share one fetch, and one that goes away takes it from nobody.
#[tokio::test]
async fn one_fetch_for_all() {
    let server = Server::start("max-age=3600");
    let begin = Instant::now();
    assert!(server.keys(Some("one"), begin).now_or_never().is_none(), "gone at once");
    for keys in join_all((0..100).map(|_| server.keys(Some("one"), begin))).await {
        assert!(keys.unwrap().knows("one"));
    }
    assert_eq!(server.target.hits(), 1);
    for _ in 0..20 {
        assert!(server.keys(Some("two"), begin).now_or_never().is_none_or(|keys| !keys.unwrap().knows("two")));
    }
    join_all((0..100).map(|_| server.keys(Some("two"), begin))).await;
    assert_eq!(server.target.hits(), 2);
}

/// T2: a set is kept for as long as it says, between a minute and an hour; without a word for five minutes.
#[tokio::test]
async fn how_long_a_set_is_kept() {
    for (cache, seconds) in
        [("no-store", 60), ("max-age=1", 60), ("max-age=90", 90), ("max-age=9999999", 3_600), ("private", 300)]
    {
        let server = Server::start(cache);
        let begin = Instant::now();
        for (second, hits) in [(0, 1), (seconds - 1, 1), (seconds, 2), (seconds + 1, 2)] {
            assert!(server.has("one", begin + SECOND * second).await);
            assert_eq!(server.target.hits(), hits, "{cache} {second}");
        }
    }
}

/// T2: where the set cannot be read again, the old one serves on for a day; it is tried again every 30 seconds.
#[tokio::test]
async fn failures() {
    let server = Server::start("max-age=60");
    let begin = Instant::now();
    assert!(server.has("one", begin).await);
    server.broken.store(true, Ordering::SeqCst);
    server.rotate("two");
    let mut hits = 1;
    for round in 0..5 {
        for (second, more) in [(60, 1), (61, 0), (89, 0)] {
            let at = begin + SECOND * (second + 30 * round);
            assert!(server.has("one", at).await && !server.has("two", at).await, "{round} {second}");
            hits += more;
            assert_eq!(server.target.hits(), hits, "{round} {second}");
        }
    }
    let day = Duration::from_hours(24);
    assert!(server.has("one", begin + day).await);
    assert!(server.keys(Some("one"), begin + day + SECOND).await.is_err(), "not for ever");
    server.broken.store(false, Ordering::SeqCst);
    assert!(server.has("two", begin + day + SECOND * 31).await);
}

/// T2: where there was no set yet, a failure is an answer for 30 seconds.
#[tokio::test]
async fn nothing_there() {
    let server = Server::start("max-age=60");
    server.broken.store(true, Ordering::SeqCst);
    let begin = Instant::now();
    for (second, hits) in [(0, 1), (1, 1), (29, 1), (30, 2)] {
        assert_eq!(server.keys(None, begin + SECOND * second).await, Err(Unavailable));
        assert_eq!(server.target.hits(), hits, "{second}");
    }
    server.broken.store(false, Ordering::SeqCst);
    assert_eq!(server.keys(None, begin + SECOND * 59).await, Err(Unavailable));
    assert!(server.has("one", begin + SECOND * 60).await);
}
