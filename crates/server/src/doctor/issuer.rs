//! The issuer, as the rest of the world meets it: name, connection, trust, and what its document says.

use std::{error::Error as _, time::Duration};

use chrono::{DateTime, TimeDelta};
use reqwest::{StatusCode, header};
use url::Url;

use super::Finding;
use crate::{config::Config, entropy, outbound};

const CHECK: &str = "issuer";
/// No discovery document is larger, in bytes.
const LARGEST: usize = 256 * 1024;

/// How the issuer was met.
pub(super) struct Facts {
    issuer: String,
    /// Whether something listens where Signet would.
    serving: bool,
    met: Met,
    /// By how much the clock of what answered is ahead of ours.
    pub(super) offset: Option<TimeDelta>,
}

#[derive(Debug)]
enum Met {
    NoName(String),
    NotReached(String),
    NotTrusted(String),
    Status(StatusCode),
    NoDocument,
    Document { issuer: String },
}

impl Facts {
    /// Whether a Signet of that name answers.
    pub(super) fn answers(&self) -> bool {
        matches!(&self.met, Met::Document { issuer } if *issuer == self.issuer)
    }
}

/// `served`: a server runs on this data directory, wherever it listens.
pub(super) async fn gather(config: &Config, served: bool) -> Facts {
    let limit = config.outbound.timeout.0;
    let connect = tokio::net::TcpStream::connect(config.bind);
    let serving = served || matches!(tokio::time::timeout(Duration::from_secs(1), connect).await, Ok(Ok(_)));
    let (met, offset) = meet(config, limit).await;
    Facts { issuer: config.issuer.clone(), serving, met, offset }
}

async fn meet(config: &Config, limit: Duration) -> (Met, Option<TimeDelta>) {
    let parsed = Url::parse(&config.issuer).ok();
    let name = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let Some((host, port)) = name else { return (Met::NoName("no host".to_owned()), None) };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(limit, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(mut addresses)) => {
            if addresses.next().is_none() {
                return (Met::NoName("it has no address".to_owned()), None);
            }
        }
        Ok(Err(error)) => return (Met::NoName(error.to_string()), None),
        Err(_) => return (Met::NoName("the name service does not answer".to_owned()), None),
    }
    // Our own address may be a private one. What is wrong with the file of authorities, `tls` says.
    let authorities = outbound::authorities(&config.outbound).unwrap_or_default();
    let Ok(client) = outbound::client(limit, authorities).build() else {
        return (Met::NotReached("no HTTP client".to_owned()), None);
    };
    let url = format!("{}/.well-known/openid-configuration", config.issuer);
    let mut answer = match client.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => return (refused(&error), None),
    };
    let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let offset = date.map(|date| date.to_utc() - entropy::now());
    if answer.status() != StatusCode::OK {
        return (Met::Status(answer.status()), offset);
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return (Met::NoDocument, offset);
        }
    }
    let document: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let issuer = document.as_ref().and_then(|document| document.get("issuer")?.as_str());
    (issuer.map_or(Met::NoDocument, |issuer| Met::Document { issuer: issuer.to_owned() }), offset)
}

/// The innermost reason; whether it is one of trust.
fn refused(error: &reqwest::Error) -> Met {
    if error.is_timeout() {
        return Met::NotReached("it does not answer in time".to_owned());
    }
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        if reason.contains("certificate") {
            break;
        }
        source = inner.source();
    }
    if reason.contains("certificate") { Met::NotTrusted(reason) } else { Met::NotReached(reason) }
}

pub(super) fn judge(facts: &Facts) -> Finding {
    let issuer = &facts.issuer;
    let broken = |what: String, fix: &str| Finding::broken(CHECK, what, fix);
    match &facts.met {
        Met::NoName(reason) => broken(
            format!("{issuer}: the name is not found: {reason}"),
            "enter the name in DNS, or correct issuer (SIGNET_ISSUER)",
        ),
        Met::NotReached(reason) if !facts.serving => Finding::warning(
            CHECK,
            format!("{issuer} does not answer ({reason}), and no Signet is running here"),
            "start Signet, and run the doctor again",
        ),
        Met::NotReached(reason) => broken(
            format!("{issuer} does not answer, although Signet is running here: {reason}"),
            "check issuer and bind, with which it was started, the address behind the name, the firewall, and the proxy",
        ),
        Met::NotTrusted(reason) => broken(
            format!("{issuer}: clients that check the certificate will not connect: {reason}"),
            "serve a certificate for that name with its whole chain; name a private authority in outbound.trusted_ca",
        ),
        Met::Status(status) if !facts.serving && status.is_server_error() => Finding::warning(
            CHECK,
            format!("{issuer} answers {status}, and no Signet is running here"),
            "start Signet, and run the doctor again",
        ),
        Met::Status(status) => broken(
            format!("{issuer}/.well-known/openid-configuration answers {status}"),
            "have the proxy pass every path on, unchanged, without asking for a sign-in of its own",
        ),
        Met::NoDocument => broken(
            format!("{issuer}/.well-known/openid-configuration is no discovery document"),
            "something else answers at that name: correct the proxy, or issuer (SIGNET_ISSUER)",
        ),
        Met::Document { issuer: said } if said == issuer => {
            Finding::ok(CHECK, format!("{issuer} answers, and says so"))
        }
        Met::Document { issuer: said } => broken(
            format!("{issuer} answers with a document of {said}"),
            "make both the same, to the letter: clients compare them; the server must be restarted with the new issuer",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    #[test]
    fn meetings() {
        let issuer = "https://id.example";
        let text = || "reason".to_owned();
        for (met, running, alone) in [
            (Met::NoName(text()), Grade::Broken, Grade::Broken),
            (Met::NotReached(text()), Grade::Broken, Grade::Warning),
            (Met::NotTrusted(text()), Grade::Broken, Grade::Broken),
            (Met::Status(StatusCode::BAD_GATEWAY), Grade::Broken, Grade::Warning),
            (Met::Status(StatusCode::NOT_FOUND), Grade::Broken, Grade::Broken),
            (Met::NoDocument, Grade::Broken, Grade::Broken),
            (Met::Document { issuer: issuer.to_owned() }, Grade::Ok, Grade::Ok),
            (Met::Document { issuer: format!("{issuer}/") }, Grade::Broken, Grade::Broken),
        ] {
            let mut facts = Facts { issuer: issuer.to_owned(), serving: true, met, offset: None };
            assert_eq!(judge(&facts).grade, running, "{:?}", facts.met);
            facts.serving = false;
            assert_eq!(judge(&facts).grade, alone, "{:?}", facts.met);
        }
    }
}
