use std::{
    fs,
    io::Write,
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;

use super::*;
use crate::config::value::Span;

pub(super) mod target;
use target::Target;

const JSON: &str = "application/json";

/// Settings with the target's authority and a short limit.
fn settings(target: &Target, allow_private: bool) -> settings::Outbound {
    settings::Outbound {
        allow_private,
        trusted_ca: Some(target.authority.clone()),
        timeout: Span(Duration::from_millis(1_500)),
    }
}

fn private(target: &Target) -> Outbound {
    Outbound::new(&settings(target, true)).unwrap()
}

/// Every name leads to this machine.
fn everything_here(asked: &Arc<AtomicUsize>) -> Lookup {
    let asked = Arc::clone(asked);
    Arc::new(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    })
}

/// O1: what is fetched, and what the other side gets to see.
#[tokio::test]
async fn a_fetch() {
    let seen = Arc::new(Mutex::new(String::new()));
    let record = Arc::clone(&seen);
    let target = Target::start(move |head, out| {
        *record.lock().unwrap() = head.to_owned();
        target::answer(out, "200 OK\r\nCache-Control: public, max-age=90\r\nSet-Cookie: a=b", b"{}")
    });
    let outbound = private(&target);
    for _ in 0..2 {
        let fetched = outbound.get(&target.url("/keys?a=b#c"), JSON).await.unwrap();
        assert_eq!(fetched, Fetched { body: b"{}".to_vec(), max_age: Some(Duration::from_secs(90)) });
        let head = seen.lock().unwrap().clone();
        let mut lines: Vec<String> = head.lines().map(str::to_lowercase).filter(|line| !line.is_empty()).collect();
        lines.sort();
        let host = format!("host: localhost:{}", target.port);
        assert_eq!(lines, ["accept: application/json", "get /keys?a=b http/1.1", &host, "user-agent: signet"]);
    }
    assert_eq!(target.hits(), 2, "no connection is kept");
}

/// O1: what holds where nobody set anything.
#[test]
fn defaults() {
    let settings = settings::Outbound::default();
    assert_eq!((settings.timeout.0, settings.allow_private), (Duration::from_secs(5), false));
    assert!(settings.trusted_ca.is_none());
    assert_eq!(LARGEST, 64 * 1024);
}

/// O1: https only; http on this machine only where private addresses are allowed; no user name; literal addresses in any
/// spelling are judged.
#[test]
fn urls() {
    let long = format!("https://op.example/{}", "a".repeat(2_048));
    for (url, error) in [
        ("", FetchError::Url),
        ("/keys", FetchError::Url),
        ("https:", FetchError::Url),
        ("https://user@op.example/", FetchError::Url),
        ("https://:hunter2@op.example/", FetchError::Url),
        (&long, FetchError::Url),
        ("http://op.example/", FetchError::NotHttps),
        ("http://10.0.0.1/", FetchError::NotHttps),
        ("http://localhost.example/", FetchError::NotHttps),
        ("file:///etc/passwd", FetchError::NotHttps),
        ("ftp://op.example/", FetchError::NotHttps),
        ("data:application/json,{}", FetchError::NotHttps),
        ("unix:/run/x", FetchError::NotHttps),
        ("https://169.254.169.254/", FetchError::Forbidden),
        ("https://0.0.0.0/", FetchError::Forbidden),
        ("https://0/", FetchError::Forbidden),
        ("https://[::]/", FetchError::Forbidden),
        ("https://[fe80::1]/", FetchError::Forbidden),
    ] {
        assert_eq!(admit(url, false).unwrap_err(), error, "{url}");
        assert_eq!(admit(url, true).unwrap_err(), error, "{url}");
    }
    for here in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0177.1/",
        "https://\u{ff11}27.0.0.1/",
        "https://%3127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[0:0:0:0:0:ffff:7f00:1]/",
        "https://10.1.2.3:8443/",
        "https://[fd00::1]/",
        "https://[64:ff9b::7f00:1]/",
    ] {
        assert_eq!(admit(here, false).unwrap_err(), FetchError::Forbidden, "{here}");
        assert!(admit(here, true).is_ok(), "{here}");
    }
    for here in ["http://localhost/", "http://127.0.0.1:8080/", "http://[::1]/", "http://a.localhost/"] {
        assert_eq!(admit(here, false).unwrap_err(), FetchError::NotHttps, "{here}");
        assert!(admit(here, true).is_ok(), "{here}");
    }
    assert!(admit("https://op.example/keys?x=1#f", false).is_ok() && admit("https://1.1.1.1/", false).is_ok());
}

/// O1: a name that leads to this machine is refused after it was looked up, and nothing connects; with
/// `outbound.allow_private` it is fetched, and by one lookup.
#[tokio::test]
async fn names_of_private_addresses() {
    let target = Target::start(|_, out| target::answer(out, "200 OK", b"{}"));
    let asked = Arc::new(AtomicUsize::new(0));
    let (localhost, name) = (target.url("/"), format!("https://id.example:{}/", target.port));
    let literal = format!("https://127.0.0.1:{}/", target.port);
    let strict = Outbound::with_lookup(&settings(&target, false), everything_here(&asked)).unwrap();
    for url in [&localhost, &name, &literal] {
        assert_eq!(strict.get(url, JSON).await, Err(FetchError::Forbidden), "{url}");
    }
    let strict = Outbound::new(&settings(&target, false)).unwrap();
    assert_eq!(strict.get(&localhost, JSON).await, Err(FetchError::Forbidden), "by the system's resolver");
    assert_eq!(target.hits(), 0);

    asked.store(0, Ordering::SeqCst);
    let open = Outbound::with_lookup(&settings(&target, true), everything_here(&asked)).unwrap();
    for (url, lookups) in [(&localhost, 1), (&name, 2), (&literal, 2)] {
        assert!(open.get(url, JSON).await.is_ok(), "{url}");
        assert_eq!(asked.load(Ordering::SeqCst), lookups, "nobody asks twice");
    }
    let nowhere: Lookup = Arc::new(|_| Err(std::io::Error::other("no such name")));
    let lost = Outbound::with_lookup(&settings(&target, true), nowhere).unwrap();
    assert_eq!(lost.get(&name, JSON).await, Err(FetchError::Unknown));
}

/// O1: a redirect is not followed, wherever it leads.
#[tokio::test]
async fn redirects() {
    let other = Target::start(|_, out| target::answer(out, "200 OK", b"{}"));
    let to = other.url("/");
    let target = Target::start(move |head, out| {
        let status = head.split(['/', ' ']).nth(2).unwrap_or_default();
        target::answer(out, &format!("{status} Elsewhere\r\nLocation: {to}"), b"{}")
    });
    let outbound = private(&target);
    for status in ["301", "302", "303", "307", "308", "300", "304"] {
        let answer = outbound.get(&target.url(&format!("/{status}")), JSON).await;
        assert_eq!(answer, Err(FetchError::Redirect), "{status}");
    }
    for status in [201, 204, 404, 500] {
        let answer = outbound.get(&target.url(&format!("/{status}")), JSON).await;
        assert_eq!(answer, Err(FetchError::Status(status)));
    }
    assert_eq!(other.hits(), 0);
}

/// O1: at most 64 KiB, whatever is announced; the rest is not read.
#[tokio::test]
async fn long_answers() {
    let target = Target::start(|head, out| match head.split([' ', '/']).nth(2) {
        Some("full") => target::answer(out, "200 OK", &vec![b' '; LARGEST]),
        Some("more") => target::answer(out, "200 OK", &vec![b' '; LARGEST + 1]),
        Some("announced") => write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"),
        Some("unannounced") => {
            write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            out.write_all(&vec![b' '; LARGEST + 1])
        }
        Some("until-closed") => {
            write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                out.write_all(&[b' '; 1_024])?;
            }
        }
        Some("chunks") => {
            write!(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                write!(out, "400\r\n{}\r\n", " ".repeat(1_024))?;
            }
        }
        _ => {
            write!(out, "HTTP/1.1 200 OK\r\n")?;
            loop {
                write!(out, "X: {}\r\n", "x".repeat(1_000))?;
            }
        }
    });
    let outbound = private(&target);
    assert_eq!(outbound.get(&target.url("/full"), JSON).await.unwrap().body.len(), LARGEST);
    for path in ["/more", "/announced", "/unannounced", "/until-closed", "/chunks"] {
        assert_eq!(outbound.get(&target.url(path), JSON).await, Err(FetchError::TooLarge), "{path}");
    }
    assert_eq!(outbound.get(&target.url("/head"), JSON).await, Err(FetchError::Broken));
}

/// O1: one limit for the whole, also where something comes all the time.
#[tokio::test]
async fn slow_answers() {
    let target = Target::start(|head, out| match head.split([' ', '/']).nth(2) {
        Some("head") => target::wait(out),
        Some("body") => {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1")?;
            target::wait(out)
        }
        Some("drip-head") => {
            write!(out, "HTTP/1.1 200 OK\r\nX: ")?;
            target::drip(out)
        }
        Some("drip-body") => {
            write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            target::drip(out)
        }
        Some("cut") => write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1"),
        _ => write!(out, "SSH-2.0-x\r\n"),
    });
    let outbound = private(&target);
    let paths = ["/head", "/body", "/drip-head", "/drip-body"].map(|path| target.url(path));
    let begun = Instant::now();
    for answer in join_all(paths.iter().map(|url| outbound.get(url, JSON))).await {
        assert_eq!(answer, Err(FetchError::Timeout));
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_400) && took < Duration::from_secs(4), "{took:?}");
    for path in ["/cut", "/other"] {
        assert_eq!(outbound.get(&target.url(path), JSON).await, Err(FetchError::Broken), "{path}");
    }
}

/// O1: a target that does not answer holds up no other.
#[tokio::test]
async fn slow_targets_starve_nobody() {
    let target = Target::start(|head, out| {
        if head.contains("slow.example") { target::wait(out) } else { target::answer(out, "200 OK", b"{}") }
    });
    let outbound = Outbound::with_lookup(&settings(&target, true), everything_here(&Arc::default())).unwrap();
    let slow = format!("https://slow.example:{}/", target.port);
    let fast = format!("https://id.example:{}/", target.port);
    let waiting = join_all((0..200).map(|_| outbound.get(&slow, JSON)));
    let good = async {
        // The slow ones are asked first.
        tokio::task::yield_now().await;
        outbound.get(&fast, JSON).await
    };
    let begun = Instant::now();
    let good = async {
        let answer = good.await;
        (answer, begun.elapsed())
    };
    let (slow, (good, took)) = futures_util::future::join(waiting, good).await;
    assert!(good.is_ok() && took < Duration::from_secs(1), "{good:?} {took:?}");
    let count = |error: &FetchError| slow.iter().filter(|answer| answer.as_ref() == Err(error)).count();
    assert_eq!((count(&FetchError::Timeout), count(&FetchError::Busy)), (4, 196));
    assert_eq!(target.hits(), 5, "four at once, and the good one");
}

/// O1: the certificate must be an authority's that is known, and the name's.
#[tokio::test]
async fn certificates() {
    let (target, other) = (Target::start(|_, out| target::answer(out, "200 OK", b"{}")), Target::start(|_, _| Ok(())));
    let outbound = private(&target);
    assert!(matches!(outbound.get(&other.url("/"), JSON).await, Err(FetchError::Untrusted(_))));
    let none = settings::Outbound { trusted_ca: None, ..settings(&target, true) };
    let none = Outbound::new(&none).unwrap();
    assert!(matches!(none.get(&target.url("/"), JSON).await, Err(FetchError::Untrusted(_))));
    let names = Outbound::with_lookup(&settings(&target, true), everything_here(&Arc::default())).unwrap();
    let wrong = format!("https://other.example:{}/", target.port);
    assert!(matches!(names.get(&wrong, JSON).await, Err(FetchError::Untrusted(_))));
    assert_eq!(outbound.get("https://127.0.0.1:1/", JSON).await, Err(FetchError::Unreachable));
}

/// O1: other settings are taken over by a reload, the file of authorities is read anew, a wrong one changes nothing.
#[tokio::test]
async fn reloads() {
    let target = Target::start(|_, out| target::answer(out, "200 OK", b"{}"));
    let outbound = Arc::new(Outbound::new(&settings(&target, false)).unwrap());
    let hook = outbound.hook();
    let file = target.authority.to_str().unwrap().to_owned();
    let config = |private: bool, file: &str| {
        let set = vec![format!("outbound.allow_private={private}"), format!("outbound.trusted_ca={file}")];
        let flags = crate::config::Flags { set, ..Default::default() };
        crate::config::Config::read(&flags, &[], std::path::Path::new("/nonexistent")).unwrap()
    };
    let url = target.url("/");
    assert_eq!(outbound.get(&url, JSON).await, Err(FetchError::Forbidden));
    hook(&config(true, &file)).unwrap()();
    assert!(outbound.get(&url, JSON).await.is_ok());
    let error = hook(&config(false, "/nonexistent/ca.pem")).map(drop).unwrap_err();
    assert!(error.starts_with("outbound.trusted_ca (/nonexistent/ca.pem): cannot be read"), "{error}");
    assert!(outbound.get(&url, JSON).await.is_ok());
    let pem = fs::read(&target.authority).unwrap();
    let other = Target::start(|_, out| target::answer(out, "200 OK", b"{}"));
    fs::copy(&other.authority, &target.authority).unwrap();
    assert!(outbound.get(&url, JSON).await.is_ok(), "the file is not watched");
    hook(&config(true, &file)).unwrap()();
    assert!(outbound.get(&other.url("/"), JSON).await.is_ok());
    assert!(matches!(outbound.get(&url, JSON).await, Err(FetchError::Untrusted(_))));
    fs::write(&target.authority, [pem, fs::read(&other.authority).unwrap()].concat()).unwrap();
    hook(&config(true, &file)).unwrap()();
    assert!(outbound.get(&url, JSON).await.is_ok() && outbound.get(&other.url("/"), JSON).await.is_ok());
    fs::write(&target.authority, "hunter2").unwrap();
    let error = hook(&config(true, &file)).map(drop).unwrap_err();
    assert!(error.contains("no certificate") && !error.contains("hunter2"), "{error}");
}

/// O1, R-55: no error says anything of the URL.
#[tokio::test]
async fn errors_name_no_url() {
    let target = Target::start(|head, out| match head.split([' ', '/', '?']).nth(2) {
        Some("cut") => Ok(()),
        Some("elsewhere") => target::answer(out, "302 Found\r\nLocation: https://hunter2@localhost/?hunter2", b""),
        Some("wait") => target::wait(out),
        _ => target::answer(out, "404 hunter2", b"hunter2"),
    });
    let outbound = private(&target);
    let port = target.port;
    let mut seen = std::collections::BTreeSet::new();
    for url in [
        "https://hunter2:hunter2@localhost/".to_owned(),
        "http://hunter2.example/hunter2".to_owned(),
        "https://hunter2.invalid/?hunter2".to_owned(),
        format!("https://localhost:{port}/missing?hunter2"),
        format!("https://localhost:{port}/cut?hunter2"),
        format!("https://localhost:{port}/elsewhere?hunter2"),
        format!("https://localhost:{port}/wait?hunter2"),
        "https://127.0.0.1:1/?hunter2".to_owned(),
        "hunter2".to_owned(),
    ] {
        let error = outbound.get(&url, JSON).await.unwrap_err();
        seen.insert(error.label());
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error:?}");
    }
    let kinds = ["broken", "not_https", "redirect", "status", "timeout", "unknown", "unreachable", "url"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), kinds);
}

/// O1: what `Cache-Control` says.
#[test]
fn cache_control() {
    let read = |values: &[&str]| {
        let headers = values.iter().map(|value| (header::CACHE_CONTROL, value.parse().unwrap())).collect();
        max_age(&headers).map(|age| age.as_secs())
    };
    for (values, age) in [
        (&[][..], None),
        (&["max-age=5"], Some(5)),
        (&["Public , MAX-AGE = \"7\""], Some(7)),
        (&["max-age=5, no-store"], Some(0)),
        (&["max-age=5", "no-cache"], Some(0)),
        (&["s-maxage=5, private"], None),
        (&["max-age=-1"], None),
        (&["max-age=99999999999999999999999"], None),
    ] {
        assert_eq!(read(values), age, "{values:?}");
    }
}
