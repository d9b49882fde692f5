use serde_json::json;

use super::*;

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn made(value: &Value) -> Result<Profile, ProfileError> {
    Profile::default().with(members(value))
}

/// U2: every member is taken, and stands in the object by the name and type it was given with.
#[test]
fn every_member_is_taken() {
    let given = json!({
        "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "middle_name": "King", "nickname": "A",
        "profile": "https://people.test/ada", "picture": "https://people.test/ada.png", "website": "http://ada.test",
        "gender": "female", "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en-GB",
        "email_verified": true, "phone_number": "+44 20 7946 0000;ext=12", "phone_number_verified": true,
        "address": {"formatted": "12 St James's Square\nLondon", "country": "GB"},
        "groups": ["engineers", "system:masters"], "metadata": {"hr": {"number": 7, "list": [null, 1.5]}},
    });
    let profile = made(&given).unwrap();
    assert_eq!(Value::Object(profile.to_members()), given);
    assert_eq!(profile.differences(&profile), Vec::<String>::new());
    assert_eq!(profile.differences(&Profile::default()).len(), given.as_object().unwrap().len());
}

/// RFC 7396: what is not named stays, `null` clears, objects are merged member by member.
#[test]
fn a_change_is_put_over() {
    let first = made(&json!({
        "name": "Ada", "phone_number": "+44123456", "phone_number_verified": true, "groups": ["a"],
        "address": {"country": "GB", "region": "London"}, "metadata": {"hr": {"number": 7, "desk": 1}, "x": 1},
    }))
    .unwrap();
    let change =
        json!({"name": null, "address": {"region": null}, "metadata": {"hr": {"desk": null}, "x": {"y": null}}});
    let second = first.with(members(&change)).unwrap();
    assert_eq!((&second.name, &second.groups, second.phone_number_verified), (&None, &vec!["a".to_owned()], true));
    assert_eq!(second.address, members(&json!({"country": "GB"})));
    assert_eq!(second.metadata, members(&json!({"hr": {"number": 7}, "x": {}})));
    assert_eq!(first.differences(&second), ["address", "metadata", "name"]);
    let third = second.with(members(&json!({"phone_number": "+44654321"}))).unwrap();
    assert!(!third.phone_number_verified, "another number is not the one that was verified");
    let gone = json!({"phone_number": null, "groups": null, "metadata": null, "address": null});
    assert_eq!(third.with(members(&gone)).unwrap(), Profile::default());
}

/// What is not acceptable is refused by its name, and not repeated.
#[test]
fn refusals_name_the_member() {
    let long = "x".repeat(201);
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let mut deep = json!("hunter2");
    for _ in 0..9 {
        deep = json!({ "a": deep });
    }
    for (member, value) in [
        ("name", json!("")),
        ("name", json!(" hunter2")),
        ("name", json!("hunter2\u{0}")),
        ("name", json!("hunter2\u{FFFD}")),
        ("nickname", json!(long)),
        ("gender", json!({"hunter2": 1})),
        ("profile", json!("javascript:hunter2")),
        ("picture", json!("https://hunter2@people.test/")),
        ("picture", json!("data:image/png;base64,hunter2")),
        ("website", json!("/hunter2")),
        ("website", json!("https://people.test/hunter 2")),
        ("birthdate", json!("hunter2")),
        ("birthdate", json!("1815-02-30")),
        ("birthdate", json!("0000")),
        ("birthdate", json!("10.12.1815")),
        ("zoneinfo", json!("../hunter2")),
        ("zoneinfo", json!("Europe/")),
        ("locale", json!("en_GB")),
        ("locale", json!("en--GB")),
        ("phone_number", json!("020 7946")),
        ("phone_number", json!("+12")),
        ("phone_number", json!("+1234567890123456")),
        ("phone_number", json!("+44 20;ext=hunter2")),
        ("email_verified", Value::Null),
        ("email_verified", json!("hunter2")),
        ("phone_number_verified", Value::Null),
        ("phone_number_verified", json!(true)),
        ("address", json!("hunter2")),
        ("address", json!({"planet": "hunter2"})),
        ("address", json!({"country": "hunter2\n"})),
        ("address", json!({"formatted": {"a": "hunter2"}})),
        ("groups", json!("hunter2")),
        ("groups", json!(["hunter2", "hunter2"])),
        ("groups", json!([["hunter2"]])),
        ("groups", json!(["a\nhunter2"])),
        ("groups", json!(many)),
        ("metadata", json!(["hunter2"])),
        ("metadata", deep),
        ("metadata", json!({"hunter2\u{0}": 1})),
        ("metadata", json!({"a": ["hunter2\u{0}"]})),
        ("metadata", json!({"a": "x".repeat(8_192)})),
    ] {
        let error = made(&json!({ member: value })).unwrap_err();
        assert!(matches!(&error, ProfileError::Value { member: said, .. } if *said == member), "{member}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (unknown, said) in [("username", "username"), ("sub", "sub"), ("<b>", "b")] {
        assert_eq!(made(&json!({ unknown: "x" })), Err(ProfileError::Unknown(said.to_owned())));
    }
    for good in ["1815", "1815-12-10", "0000-02-29"] {
        assert!(made(&json!({ "birthdate": good })).is_ok(), "{good}");
    }
}
