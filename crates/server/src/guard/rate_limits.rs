//! How often something may be tried: counters in memory, bounded, at the rates of the settings in effect.
//!
//! A bucket empties with each try and fills again evenly, so that a rate of `5/1m` lets five through at once and one
//! more every twelve seconds.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, QuantaClock, QuantaInstant, Reference},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use signet_oidc::secret::Digest;

use super::proxy::client_address;
use crate::{
    app::App,
    config::{settings::RateLimits, value::Rate},
};

/// How many buckets are kept; the one that was not asked for the longest goes first.
const MOST: u64 = 50_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Sign-ins from an address.
    SignIn,
    /// Registrations from an address.
    Registration,
    /// Registrations of clients by themselves, and changes of them, from an address.
    ClientRegistration,
    /// Whatever is sensitive, from an address.
    Address,
    /// Failures to show who one is at the token, introspection, revocation and userinfo endpoints, from an address for a
    /// client.
    TokenFailures,
    /// Refusals there of clients that showed who they are.
    TokenRefusals,
    /// Authorization requests that are kept here because they are long, or whose object is fetched, from an address.
    Costly,
}

impl Limit {
    fn rate(self, rates: &RateLimits) -> Rate {
        match self {
            Self::SignIn => rates.sign_in,
            Self::Registration => rates.registration,
            Self::ClientRegistration => rates.client_registration,
            Self::Address | Self::Costly => rates.address,
            Self::TokenFailures | Self::TokenRefusals => rates.token_failures,
        }
    }
}

/// It was tried too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tried too often; try again in {} seconds", self.seconds())]
pub struct Limited {
    rate: Rate,
    wait: Duration,
}

impl Limited {
    /// When the next try is let through, in whole seconds, at least one.
    pub fn seconds(&self) -> u64 {
        let whole = self.wait.as_secs();
        (whole + u64::from(self.wait > Duration::from_secs(whole))).max(1)
    }

    /// `Retry-After` (RFC 9110 §10.2.3) and the `RateLimit` fields.
    pub fn write(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put(header::RETRY_AFTER.as_str(), self.seconds().to_string());
        put("ratelimit-limit", self.rate.count.to_string());
        put("ratelimit-remaining", "0".to_owned());
        put("ratelimit-reset", self.seconds().to_string());
        put("ratelimit-policy", format!("{};w={}", self.rate.count, self.rate.per.0.as_secs()));
    }
}

struct Bucket {
    rate: Rate,
    limiter: RateLimiter<NotKeyed, InMemoryState, QuantaClock, StateInformationMiddleware>,
    /// Empty until then.
    until: Mutex<Option<QuantaInstant>>,
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        let quota = Quota::with_period(rate.per.0 / rate.count.get()).unwrap_or(Quota::per_second(rate.count));
        let limiter = RateLimiter::direct(quota.allow_burst(rate.count)).with_middleware();
        Self { rate, limiter, until: Mutex::new(None) }
    }
}

/// The buckets of this node.
pub struct Limiter {
    buckets: Cache<(Limit, String), Arc<Bucket>>,
    /// Of their own: their keys hold what callers write, and must not push out the others.
    failures: Cache<(Limit, String), Arc<Bucket>>,
    clock: QuantaClock,
}

impl Default for Limiter {
    fn default() -> Self {
        let buckets = || {
            Cache::builder()
                .max_capacity(MOST)
                .time_to_idle(Duration::from_hours(24))
                .eviction_policy(EvictionPolicy::lru())
                .build()
        };
        Self { buckets: buckets(), failures: buckets(), clock: QuantaClock::default() }
    }
}

impl Limiter {
    fn of(&self, limit: Limit) -> &Cache<(Limit, String), Arc<Bucket>> {
        match limit {
            Limit::TokenFailures | Limit::TokenRefusals => &self.failures,
            _ => &self.buckets,
        }
    }

    /// The bucket of a key. A rate that changed begins with a full one.
    fn bucket(&self, limit: Limit, rate: Rate, key: String) -> Arc<Bucket> {
        let outdated = |bucket: &Arc<Bucket>| bucket.rate != rate;
        self.of(limit).entry((limit, key)).or_insert_with_if(|| Arc::new(Bucket::new(rate)), outdated).into_value()
    }

    /// Counts a try; refuses it where the bucket is empty.
    fn take(&self, limit: Limit, rate: Rate, key: String) -> Result<(), Limited> {
        let bucket = self.bucket(limit, rate, key);
        match bucket.limiter.check() {
            Ok(_) => Ok(()),
            Err(until) => Err(Limited { rate, wait: until.wait_time_from(self.clock.now()) }),
        }
    }

    /// Refuses a try where failures emptied the bucket. Counts nothing.
    fn look(&self, limit: Limit, rate: Rate, key: String) -> Result<(), Limited> {
        let Some(bucket) = self.of(limit).get(&(limit, key)).filter(|bucket| bucket.rate == rate) else {
            return Ok(());
        };
        let until = *bucket.until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        match until {
            Some(until) if until > now => Err(Limited { rate, wait: until.duration_since(now).into() }),
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    fn fail(&self, limit: Limit, rate: Rate, key: String) {
        let bucket = self.bucket(limit, rate, key);
        let until = match bucket.limiter.check() {
            Ok(left) if left.remaining_burst_capacity() > 0 => return,
            Ok(_) => self.clock.now() + (rate.per.0 / rate.count.get()).into(),
            Err(until) => until.earliest_possible(),
        };
        *bucket.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

#[expect(clippy::unused_async, reason = "counters that nodes share are asked over the network")]
impl App {
    /// Counts a try from the caller's address; refuses it where it comes too soon.
    pub async fn limit(&self, limit: Limit, http: &HttpRequest) -> Result<(), Limited> {
        let config = self.config();
        let rates = &config.rate_limits;
        if !rates.enabled {
            return Ok(());
        }
        let key = address(http);
        // Applications that register themselves use up nothing of what people have behind the same address.
        if limit != Limit::ClientRegistration {
            self.limits.take(Limit::Address, rates.address, key.clone())?;
        }
        self.limits.take(limit, limit.rate(rates), key)
    }

    /// Counts what costs more than others do, from the caller's address; refuses it where it comes too soon.
    pub async fn limit_costly(&self, http: &HttpRequest) -> Result<(), Limited> {
        let config = self.config();
        let (rates, limit) = (&config.rate_limits, Limit::Costly);
        if rates.enabled { self.limits.take(limit, limit.rate(rates), address(http)) } else { Ok(()) }
    }

    /// Protocol O3: refuses the try of a password that an application sends where its address failed too often. Counts
    /// nothing: whoever is right may come again.
    pub async fn may_sign_in(&self, http: &HttpRequest) -> Result<(), Limited> {
        let config = self.config();
        let (rates, limit) = (&config.rate_limits, Limit::SignIn);
        if rates.enabled { self.limits.look(limit, limit.rate(rates), address(http)) } else { Ok(()) }
    }

    /// Protocol O3: counts a wrong password that an application sent, together with the tries of the pages.
    pub async fn sign_in_failed(&self, http: &HttpRequest) {
        let config = self.config();
        let (rates, limit) = (&config.rate_limits, Limit::SignIn);
        if rates.enabled {
            self.limits.fail(limit, limit.rate(rates), address(http));
        }
    }

    /// Protocol O3: refuses a try where the caller's address failed too often for this client. Counts nothing.
    pub async fn may_try(&self, http: &HttpRequest, client: &str) -> Result<(), Limited> {
        let config = self.config();
        let (rates, limit) = (&config.rate_limits, Limit::TokenFailures);
        if rates.enabled { self.limits.look(limit, limit.rate(rates), pair(http, client)) } else { Ok(()) }
    }

    /// Protocol O3: counts a refusal of a client that showed who it is; where there were too many the refusal becomes this.
    /// Its good requests pass all the same: whoever makes an application send bad ones shuts nobody out.
    pub async fn refused(&self, http: &HttpRequest, client: &str) -> Result<(), Limited> {
        let config = self.config();
        let (rates, limit) = (&config.rate_limits, Limit::TokenRefusals);
        if rates.enabled { self.limits.take(limit, limit.rate(rates), pair(http, client)) } else { Ok(()) }
    }

    /// Protocol O3: counts a failure.
    pub async fn failed(&self, http: &HttpRequest, client: &str) {
        let config = self.config();
        let (rates, limit) = (&config.rate_limits, Limit::TokenFailures);
        if rates.enabled {
            self.limits.fail(limit, limit.rate(rates), pair(http, client));
        }
    }
}

/// The caller's address; of IPv6 the network of one customer.
fn address(http: &HttpRequest) -> String {
    client_address(http).map(group).unwrap_or_default()
}

fn group(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).to_string(),
    }
}

/// Address and client, of a length that does not depend on what was sent.
fn pair(http: &HttpRequest, client: &str) -> String {
    format!("{} {}", address(http), Digest::of(client.as_bytes()).to_text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Span;

    const RATE: Rate = Rate::new(3, Span::hours(1));

    fn key(text: &str) -> String {
        text.to_owned()
    }

    /// as many as the rate says, per key; a changed rate counts at once and anew.
    #[test]
    fn tries_are_counted() {
        let limiter = Limiter::default();
        for _ in 0..3 {
            assert_eq!(limiter.take(Limit::SignIn, RATE, key("a")), Ok(()));
        }
        let refusal = limiter.take(Limit::SignIn, RATE, key("a")).unwrap_err();
        assert!((1_190..=1_200).contains(&refusal.seconds()), "{refusal}");
        assert_eq!(limiter.take(Limit::SignIn, RATE, key("b")), Ok(()));
        assert_eq!(limiter.take(Limit::Registration, RATE, key("a")), Ok(()));
        let more = Rate::new(4, Span::hours(1));
        for _ in 0..4 {
            assert_eq!(limiter.take(Limit::SignIn, more, key("a")), Ok(()));
        }
        assert!(limiter.take(Limit::SignIn, more, key("a")).is_err());
    }

    /// R-51, O3: looking counts nothing; failures do, and are refused from then on.
    #[test]
    fn failures_are_counted() {
        let limiter = Limiter::default();
        let look = || limiter.look(Limit::TokenFailures, RATE, key("a"));
        for _ in 0..3 {
            for _ in 0..10 {
                assert_eq!(look(), Ok(()));
            }
            limiter.fail(Limit::TokenFailures, RATE, key("a"));
        }
        assert!(look().is_err());
        assert_eq!(limiter.look(Limit::TokenFailures, RATE, key("b")), Ok(()));
        let other = Rate::new(2, Span::hours(1));
        assert_eq!(limiter.look(Limit::TokenFailures, other, key("a")), Ok(()));
    }

    /// One customer has many IPv6 addresses.
    #[test]
    fn addresses_are_grouped() {
        for (text, expected) in
            [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
        {
            assert_eq!(group(text.parse().unwrap()), expected);
        }
    }

    /// what a person and a program are told.
    #[test]
    fn headers_say_when_to_come_back() {
        let mut response = HttpResponse::TooManyRequests().finish();
        Limited { rate: Rate::new(5, Span::minutes(1)), wait: Duration::from_millis(11_200) }.write(&mut response);
        let text = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(text("retry-after"), "12");
        assert_eq!(text("ratelimit-limit"), "5");
        assert_eq!(text("ratelimit-remaining"), "0");
        assert_eq!(text("ratelimit-reset"), "12");
        assert_eq!(text("ratelimit-policy"), "5;w=60");
    }
}
