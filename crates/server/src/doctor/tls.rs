//! Certificate and key, where Signet speaks https itself.

use chrono::{DateTime, Utc};
use rustls::{CertificateError, RootCertStore};
use url::Url;

use super::Finding;
use crate::{
    config::Config,
    tls::{
        Files,
        files::{self, Facts as Certificate, SOON},
    },
};

const CHECK: &str = "tls";

/// What the files hold.
pub(super) enum Facts {
    /// http on this machine.
    Development,
    /// A proxy does TLS.
    Elsewhere,
    /// They cannot be used.
    Unusable(String),
    /// They can.
    Usable { certificate: Certificate, host: String, covered: bool, chain: Result<(), String>, unknown: bool },
}

pub(super) fn gather(config: &Config) -> (Option<String>, Facts) {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut wrong_ca = None;
    if let Some(path) = &config.outbound.trusted_ca {
        match files::authorities(path) {
            Ok(authorities) => {
                roots.add_parsable_certificates(authorities);
            }
            Err(problem) => wrong_ca = Some(format!("outbound.trusted_ca ({}): {problem}", path.display())),
        }
    }
    let Some(named) = Files::of(&config.tls) else {
        return (wrong_ca, if config.development { Facts::Development } else { Facts::Elsewhere });
    };
    let facts = match named.load() {
        Err(error) => Facts::Unusable(error.to_string()),
        Ok(loaded) => {
            let host = Url::parse(&config.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
            let host = host.unwrap_or_default();
            // The dates are judged by themselves.
            let between = loaded.facts.not_before + (loaded.facts.not_after - loaded.facts.not_before) / 2;
            let chain = loaded.leads_to(&roots, between);
            Facts::Usable {
                covered: loaded.covers(&host),
                host,
                unknown: matches!(chain, Err(CertificateError::UnknownIssuer)),
                chain: chain.map_err(|error| format!("{error:?}")),
                certificate: loaded.facts,
            }
        }
    };
    (wrong_ca, facts)
}

pub(super) fn judge((wrong_ca, facts): &(Option<String>, Facts), now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(wrong) = wrong_ca {
        findings.push(Finding::broken(CHECK, wrong.clone(), "name a PEM file of authorities in outbound.trusted_ca"));
    }
    match facts {
        Facts::Development => findings.push(Finding::ok(CHECK, "none: http on this machine only")),
        Facts::Elsewhere => findings.push(Finding::ok(CHECK, "a proxy does it: tls.cert is not set")),
        Facts::Unusable(error) => {
            findings.push(Finding::broken(CHECK, error.clone(), "give tls.cert and tls.key a pair that goes together"));
        }
        Facts::Usable { certificate, host, covered, chain, unknown } => {
            findings.extend(dates(certificate, now));
            if !covered {
                let fix = format!("get a certificate whose alternative names include {host}");
                findings.push(Finding::broken(CHECK, format!("the certificate is not for {host}"), fix));
            }
            if certificate.key_mode & 0o077 != 0 {
                let what = format!("the key's file has mode {:o}: others can read it", certificate.key_mode);
                findings.push(Finding::warning(CHECK, what, "chmod 600 the file of tls.key"));
            }
            match chain {
                Ok(()) => {}
                Err(_) if certificate.self_signed => findings.push(Finding::warning(
                    CHECK,
                    "the certificate vouches for itself: nobody trusts it who was not given it",
                    "get one from an authority, or give this one to the clients and to outbound.trusted_ca",
                )),
                Err(_) if *unknown => findings.push(Finding::broken(
                    CHECK,
                    "the chain in tls.cert does not lead to an authority that clients know",
                    "append the intermediate certificates to tls.cert; name a private authority in outbound.trusted_ca",
                )),
                Err(error) => findings.push(Finding::broken(
                    CHECK,
                    format!("clients will refuse the certificate: {error}"),
                    "get a certificate for servers, version 3, from a current authority",
                )),
            }
            if findings.is_empty() {
                let until = certificate.not_after.format("%Y-%m-%d");
                findings.push(Finding::ok(CHECK, format!("for {host}, until {until}")));
            }
        }
    }
    findings
}

fn dates(certificate: &Certificate, now: DateTime<Utc>) -> Option<Finding> {
    let until = certificate.not_after.format("%Y-%m-%d");
    if certificate.not_after <= now {
        let what = format!("the certificate expired on {until}");
        return Some(Finding::broken(CHECK, what, "renew it; the new files serve without a restart"));
    }
    if certificate.not_before > now {
        let from = certificate.not_before.format("%Y-%m-%d %H:%M UTC");
        let what = format!("the certificate is good only from {from} on");
        return Some(Finding::broken(CHECK, what, "check the clock of this machine, or wait"));
    }
    if certificate.not_after <= now + SOON {
        let what = format!("the certificate expires on {until}");
        return Some(Finding::warning(CHECK, what, "renew it; the new files serve without a restart"));
    }
    None
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{doctor::Grade, entropy};

    #[test]
    fn certificates() {
        let now = entropy::now();
        let good = Certificate {
            not_before: now - TimeDelta::days(1),
            not_after: now + TimeDelta::days(90),
            self_signed: false,
            key_mode: 0o600,
        };
        let facts = |certificate: Certificate, covered, chain: Result<(), &str>| Facts::Usable {
            certificate,
            host: "id.example".to_owned(),
            covered,
            unknown: chain == Err("UnknownIssuer"),
            chain: chain.map_err(str::to_owned),
        };
        let after = |days| Certificate { not_after: now + TimeDelta::days(days), ..good.clone() };
        let unknown = Err("UnknownIssuer");
        for (facts, grade, word) in [
            (facts(good.clone(), true, Ok(())), Grade::Ok, "id.example"),
            (facts(after(29), true, Ok(())), Grade::Warning, "expires"),
            (facts(after(-1), true, Ok(())), Grade::Broken, "expired"),
            (facts(good.clone(), false, Ok(())), Grade::Broken, "not for id.example"),
            (facts(good.clone(), true, unknown), Grade::Broken, "does not lead"),
            (facts(good.clone(), true, Err("BadSignature")), Grade::Broken, "BadSignature"),
            (facts(Certificate { self_signed: true, ..good.clone() }, true, unknown), Grade::Warning, "itself"),
            (facts(Certificate { key_mode: 0o644, ..good.clone() }, true, Ok(())), Grade::Warning, "644"),
            (
                facts(Certificate { not_before: now + TimeDelta::days(1), ..good.clone() }, true, Ok(())),
                Grade::Broken,
                "only from",
            ),
            (Facts::Unusable("tls.key: x".to_owned()), Grade::Broken, "tls.key"),
            (Facts::Elsewhere, Grade::Ok, "proxy"),
        ] {
            let findings = judge(&(None, facts), now);
            assert!(
                findings.len() == 1 && findings[0].grade == grade && findings[0].what.contains(word),
                "{findings:?}"
            );
        }
        assert_eq!(judge(&(Some("x".to_owned()), Facts::Development), now)[0].grade, Grade::Broken);
    }
}
