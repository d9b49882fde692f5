//! The settings themselves.

use super::Finding;
use crate::config::{Config, ConfigErrors};

const CHECK: &str = "configuration";

/// Every mistake.
pub(super) fn judge_errors(errors: &ConfigErrors) -> Vec<Finding> {
    let fix = "change that setting; `signet config example` shows all of them";
    errors.0.iter().map(|error| Finding::broken(CHECK, error.clone(), fix)).collect()
}

/// What is valid and may still surprise.
pub(super) fn judge(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(CHECK, format!("{}, listening on {}", config.issuer, config.bind))];
    if config.development && !config.bind.ip().is_loopback() {
        findings.push(Finding::warning(
            CHECK,
            format!("development on {}: everybody who can reach it can register, over plain http", config.bind),
            "give issuer an https address",
        ));
    }
    let behind_a_proxy = !config.development && config.tls.cert.is_none();
    if behind_a_proxy && config.proxy.trusted.is_empty() {
        findings.push(Finding::warning(
            CHECK,
            "a proxy does TLS, and proxy.trusted does not name it: every client seems to have the proxy's address",
            "set proxy.trusted to the proxy's network, and have it write one of Forwarded and X-Forwarded-For",
        ));
    }
    findings
}
