//! Every metric by name, and where it is counted. `/metrics` shows them; `scrape` sets the gauges when asked.
//!
//! Labels are bounded: route patterns, known methods, codes of ours. Nothing a caller writes becomes a label.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use signet_storage::deliveries::Attempt;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

/// Declares the names once, with kind and help text.
macro_rules! catalogue {
    ($($name:ident = $text:literal: $kind:ident, $help:literal;)*) => {
        $(#[doc = $help] pub const $name: &str = $text;)*
        /// Every metric, in the order of the page.
        const CATALOGUE: &[(&str, Kind, &str)] = &[$(($name, $kind, $help)),*];
    };
}

catalogue! {
    HTTP_REQUESTS = "http_requests_total": Counter, "Answers by route, method and status.";
    HTTP_DURATION = "http_request_duration_seconds": Histogram, "Time from the head of a request to the head of its answer, by route.";
    HTTP_UNDER_WAY = "http_requests_in_flight": Gauge, "Requests under way.";
    SIGN_INS = "signet_sign_ins_total": Counter, "Sign-ins at the sign-in page, by result.";
    REGISTRATIONS = "signet_registrations_total": Counter, "Accounts people made for themselves.";
    TOKENS_ISSUED = "signet_tokens_issued_total": Counter, "Successful answers of the token endpoint, by grant type.";
    TOKENS_REFUSED = "signet_token_refusals_total": Counter, "Refusals of the token, introspection and revocation endpoints, by error code.";
    FETCHES = "signet_outbound_fetches_total": Counter, "Fetches from addresses that clients name, by result.";
    DELIVERIES = "signet_deliveries_total": Counter, "Tries to deliver, by kind and by what came of them (arrived, again, held or gave up).";
    PANICS = "signet_panics_total": Counter, "Panics; each is a defect to report.";
    HASH_DURATION = "signet_password_hash_duration_seconds": Histogram, "Time of one password hash, without the wait for it.";
    HASH_REFUSED = "signet_password_hash_refused_total": Counter, "Requests answered 503 because the hashing queue was full.";
    HASH_QUEUE = "signet_password_hash_queue": Gauge, "Password hashes under way or waited for.";
    HASH_QUEUE_LIMIT = "signet_password_hash_queue_limit": Gauge, "The length at which the hashing queue refuses.";
    DB_CONNECTIONS = "signet_database_connections": Gauge, "Connections to the database, by state (idle or busy).";
    DB_WAITING = "signet_database_waiting": Gauge, "Requests that wait for a connection.";
    DB_WAIT = "signet_database_wait_seconds_total": Counter, "Time requests waited for a connection.";
    DB_TIMEOUTS = "signet_database_wait_timeouts_total": Counter, "Requests that got no connection in time.";
    DB_ERRORS = "signet_database_errors_total": Counter, "Failed pieces of work, by kind (lost: the connection or a time limit; statement: anything else).";
    REVOCATIONS = "signet_revocation_set_entries": Gauge, "Entries of the revocation set.";
    CHANNEL_AGE = "signet_change_channel_age_seconds": Gauge, "Time since the change channel was last read.";
    NOTICES = "signet_change_channel_notices_total": Counter, "Notices over Redis, by what became of them (sent, received, carried: received and new here, or dropped).";
    REDIS_UP = "signet_redis_up": Gauge, "Whether Redis answers; absent where none is configured.";
    AUDIT_QUEUE = "signet_audit_queue": Gauge, "Audit entries not written yet.";
    AUDIT_LOST = "signet_audit_dropped_total": Counter, "Audit entries that could not be written.";
    AUDIT_UNSEALED = "signet_audit_unsealed": Gauge, "Audit rows that are not in the chain yet.";
    KEY_AGE = "signet_signing_key_age_seconds": Gauge, "For how long the active signing key has signed, by algorithm.";
    READY = "signet_ready": Gauge, "Whether /readyz answers 200.";
    BUILD = "signet_build_info": Gauge, "Always 1; the version is in the label.";
    PROCESS_START = "process_start_time_seconds": Gauge, "When the process started, in seconds since 1970.";
    PROCESS_MEMORY = "process_resident_memory_bytes": Gauge, "Resident memory.";
    PROCESS_FDS = "process_open_fds": Gauge, "Open file descriptors.";
    PROCESS_THREADS = "process_threads": Gauge, "Threads.";
}

/// Bounds of all histograms, in seconds.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Begins to count for this process. Before it, counting does nothing.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    for (name, kind, help) in CATALOGUE {
        match kind {
            Counter => describe_counter!(*name, *help),
            Gauge => describe_gauge!(*name, *help),
            Histogram => describe_histogram!(*name, *help),
        }
    }
}

/// A request that is under way until this is dropped.
pub struct UnderWay(());

impl UnderWay {
    /// One more.
    pub fn begin() -> Self {
        gauge!(HTTP_UNDER_WAY).increment(1.0);
        Self(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        gauge!(HTTP_UNDER_WAY).decrement(1.0);
    }
}

/// A request was answered.
pub fn answered(route: String, method: &'static str, status: u16, took: Duration) {
    histogram!(HTTP_DURATION, "route" => route.clone()).record(took);
    counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => status.to_string()).increment(1);
}

/// A sign-in was accepted or refused.
pub fn signed_in(accepted: bool) {
    counter!(SIGN_INS, "result" => if accepted { "accepted" } else { "refused" }).increment(1);
}

/// Somebody registered.
pub fn registered() {
    counter!(REGISTRATIONS).increment(1);
}

/// The token endpoint issued.
pub fn issued(grant_type: &'static str) {
    counter!(TOKENS_ISSUED, "grant_type" => grant_type).increment(1);
}

/// The token endpoint refused, with a code of the protocol.
pub fn refused(code: &'static str) {
    counter!(TOKENS_REFUSED, "error" => code).increment(1);
}

/// Something was fetched, or not for a reason of ours.
pub fn fetched(result: &'static str) {
    counter!(FETCHES, "result" => result).increment(1);
}

/// A delivery was tried, or held back.
pub fn delivery(kind: &'static str, attempt: &Attempt) {
    let result = match attempt {
        Attempt::Arrived => "arrived",
        Attempt::Again { .. } => "again",
        Attempt::Held { .. } => "held",
        Attempt::GaveUp { .. } => "gave up",
    };
    counter!(DELIVERIES, "kind" => kind, "result" => result).increment(1);
}

/// A password was hashed.
pub fn hashed(took: Duration) {
    histogram!(HASH_DURATION).record(took);
}

/// The hashing queue was full.
pub fn hash_refused() {
    counter!(HASH_REFUSED).increment(1);
}

/// A thread panicked.
pub fn panicked() {
    counter!(PANICS).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what is counted is shown in the Prometheus text format, with a help text, in buckets.
    #[test]
    fn counted_is_shown() {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            answered("/oauth/token".to_owned(), "POST", 200, Duration::from_millis(3));
            signed_in(false);
            issued("refresh_token");
            let _under_way = UnderWay::begin();
        });
        let text = recorder.handle().render();
        for line in [
            "# HELP http_requests_total Answers by route, method and status.",
            "http_requests_total{route=\"/oauth/token\",method=\"POST\",status=\"200\"} 1",
            "http_request_duration_seconds_bucket{route=\"/oauth/token\",le=\"0.005\"} 1",
            "http_request_duration_seconds_bucket{route=\"/oauth/token\",le=\"0.0025\"} 0",
            "signet_sign_ins_total{result=\"refused\"} 1",
            "signet_tokens_issued_total{grant_type=\"refresh_token\"} 1",
            "http_requests_in_flight 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn names_and_help() {
        for (index, (name, kind, help)) in CATALOGUE.iter().enumerate() {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(help.ends_with('.'), "{name}");
            assert!(CATALOGUE.iter().skip(index + 1).all(|(other, ..)| other != name), "{name} twice");
        }
    }
}
