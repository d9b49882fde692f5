use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use signet_identity::{EventKind, UserId};
use uuid::Uuid;

use super::{ActorView, AuditView, activity::seen_by, cursor, place};

fn view(kind: &str, user: Option<Uuid>) -> AuditView {
    AuditView {
        id: Uuid::from_u128(1),
        at: DateTime::UNIX_EPOCH,
        event: EventKind::Locked.as_str().to_owned(),
        result: "success".to_owned(),
        actor: ActorView {
            kind: kind.to_owned(),
            user,
            username: Some("root".to_owned()),
            client_id: Some("console".to_owned()),
            operator: Some("uid:0".to_owned()),
        },
        account: Some(Uuid::from_u128(7)),
        username: None,
        client_id: Some("console".to_owned()),
        session: None,
        grant: None,
        object: Some("role:x".to_owned()),
        detail: None,
        request_id: None,
        address: Some("192.0.2.1".to_owned()),
        user_agent: Some("curl".to_owned()),
        typed: None,
        chain_index: None,
    }
}

/// an account sees its own rows; of who administers it, only that it was an administrator.
#[test]
fn an_account_sees_no_other_person() {
    let me = UserId(Uuid::from_u128(7));
    for (kind, user, by, shown) in [
        ("user", Some(me.0), "self", true),
        ("user", Some(Uuid::from_u128(9)), "administrator", false),
        ("operator", None, "administrator", false),
        ("system", None, "administrator", false),
        ("client", None, "client", true),
        ("anonymous", None, "anonymous", true),
    ] {
        let seen = seen_by(me, view(kind, user), Some("Front desk".to_owned()));
        assert_eq!((&*seen.by, seen.address.is_some()), (by, shown), "{kind}");
        assert_eq!(seen.object.is_some(), by == "self", "{kind}");
        let text = serde_json::to_string(&seen).unwrap();
        assert!(!text.contains("root") && !text.contains("uid:0"), "{text}");
        assert_eq!((text.contains("console"), text.contains("Front desk")), (shown, shown), "{text}");
    }
}

/// a cursor reads back as the place it stands for; anything else is none.
#[test]
fn cursors() {
    let view = view("user", None);
    assert_eq!(place(&cursor((view.at, view.id))), Some((view.at, view.id)));
    let id = view.id.simple();
    // The last two lie in the years -10706 and 14645.
    let numbers = ["99999999999999999999", "-400000000000000000", "400000000000000000"];
    let far = numbers.map(|at| URL_SAFE_NO_PAD.encode(format!("{at}.{id}")));
    let dots = URL_SAFE_NO_PAD.encode("1.2.3");
    for bad in ["", "x", "!!", &dots].into_iter().chain(far.iter().map(String::as_str)) {
        assert_eq!(place(bad), None, "{bad}");
    }
}
