//! What operators see: logs, the trace of a request, metrics, health.

pub mod endpoints;
pub mod health;
pub mod logs;
pub mod metrics;
pub mod panics;
pub mod process;
pub mod request;
pub mod scrape;
pub mod trace;

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::entropy;

/// What watches this process, from before the database is open.
pub struct Telemetry {
    /// Whether it lives, and is ready.
    pub health: health::Health,
    /// When it started.
    pub started: DateTime<Utc>,
    metrics: Option<PrometheusHandle>,
}

impl Telemetry {
    /// Begins to count.
    pub fn begin() -> Self {
        let metrics = metrics::install();
        if let Err(error) = &metrics {
            tracing::error!(%error, "there are no metrics");
        }
        Self { health: health::Health::default(), started: entropy::now(), metrics: metrics.ok() }
    }

    fn metrics(&self) -> Option<&PrometheusHandle> {
        self.metrics.as_ref()
    }

    /// Keeps what the histograms hold small; runs for ever.
    pub async fn keep(&self) {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            if let Some(metrics) = &self.metrics {
                metrics.run_upkeep();
            }
        }
    }
}
