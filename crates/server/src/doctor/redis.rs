//! Redis, where one is configured. Nothing depends on it alone.

use std::time::Duration;

use deadpool_redis::redis::{Client, cmd};

use super::Finding;
use crate::config::Config;

const CHECK: &str = "redis";

/// None where none is configured; else whether it answers.
pub(super) async fn gather(config: &Config) -> Option<Result<(), String>> {
    let url = config.redis_url.as_ref()?;
    let limit = config.redis.timeout.0.max(Duration::from_secs(1)) * 2;
    let asked = tokio::time::timeout(limit, ping(url)).await;
    Some(asked.unwrap_or_else(|_| Err("it does not answer in time".to_owned())))
}

/// The category of an error only: its text may hold the address.
async fn ping(url: &str) -> Result<(), String> {
    let client = Client::open(url).map_err(|_| "redis.url is not the URL of a Redis".to_owned())?;
    let said = |error: deadpool_redis::redis::RedisError| error.category().to_owned();
    let mut connection = client.get_multiplexed_async_connection().await.map_err(said)?;
    cmd("PING").query_async::<String>(&mut connection).await.map(drop).map_err(said)
}

pub(super) fn judge(facts: Option<&Result<(), String>>) -> Finding {
    match facts {
        None => Finding::ok(CHECK, "not configured; changes travel through the database"),
        Some(Ok(())) => Finding::ok(CHECK, "answers"),
        Some(Err(reason)) => Finding::broken(
            CHECK,
            format!("not reachable: {reason}"),
            "start it, correct redis.url (REDIS_URL), or take it out: Signet works without, only slower between nodes",
        ),
    }
}
