use josekit::jwk::{
    Jwk,
    alg::{ec::EcCurve, ecx::EcxCurve, ed::EdCurve},
};
use serde_json::{Value, json};

use super::*;
use crate::jose::{KeyState, generate, keyring::signer};

fn public(key: &Jwk) -> Value {
    Value::Object(key.to_public_key().unwrap().into())
}

fn ec(curve: EcCurve) -> Value {
    public(&Jwk::generate_ec_key(curve).unwrap())
}

fn with(mut key: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

fn set(keys: &[Value]) -> Result<ClientKeys, JwksError> {
    ClientKeys::from_value(&json!({ "keys": keys }))
}

/// T2: a key of each kind serves its own algorithms, and no other.
#[test]
fn kinds_and_algorithms() {
    use Alg::{Ed25519, EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    use JweAlg::{EcdhEs, EcdhEsA256Kw, RsaOaep256};
    let rsa = public(&Jwk::generate_rsa_key(2_048).unwrap());
    let all = [
        ("rsa", rsa, vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512], vec![RsaOaep256]),
        ("p256", ec(EcCurve::P256), vec![Es256], vec![EcdhEs, EcdhEsA256Kw]),
        ("p384", ec(EcCurve::P384), vec![Es384], vec![EcdhEs, EcdhEsA256Kw]),
        ("p521", ec(EcCurve::P521), vec![Es512], vec![EcdhEs, EcdhEsA256Kw]),
        ("ed", public(&Jwk::generate_ed_key(EdCurve::Ed25519).unwrap()), vec![EdDsa, Ed25519], vec![]),
        ("x", public(&Jwk::generate_ecx_key(EcxCurve::X25519).unwrap()), vec![], vec![EcdhEs, EcdhEsA256Kw]),
    ];
    let keys: Vec<Value> = all.iter().map(|(kid, key, ..)| with(key.clone(), &json!({ "kid": kid }))).collect();
    let together = set(&keys).unwrap();
    let names = |found: Vec<&Jwk>| found.into_iter().map(|key| key.key_id().unwrap().to_owned()).collect::<Vec<_>>();
    for ((kid, _, verifies, encrypts), key) in all.iter().zip(&keys) {
        let alone = set(std::slice::from_ref(key)).unwrap();
        for alg in Alg::ALL {
            let expected = if verifies.contains(alg) { vec![(*kid).to_owned()] } else { vec![] };
            assert_eq!(names(alone.verifying(*alg, None)), expected, "{alg:?}");
            assert_eq!(names(together.verifying(*alg, Some(kid))), expected, "{alg:?}");
            if verifies.contains(alg) {
                assert_eq!(names(together.verifying(*alg, None)), expected, "{alg:?}");
            }
        }
        for alg in JweAlg::ALL {
            assert_eq!(alone.encrypting(*alg).is_some(), encrypts.contains(alg), "{alg:?}");
        }
    }
    assert!(together.knows("ed") && !together.knows("Ed") && !together.knows(""));
    assert!(together.verifying(Es256, Some("rsa")).is_empty() && together.verifying(Es256, Some("other")).is_empty());
}

/// T2: `use`, `key_ops` and `alg` of a key bind it; what is not understood leaves it out.
#[test]
fn what_a_key_says_of_itself() {
    let key = ec(EcCurve::P256);
    for (members, signs, encrypts) in [
        (json!({}), true, true),
        (json!({ "use": "sig" }), true, false),
        (json!({ "use": "enc" }), false, true),
        (json!({ "alg": "ES256" }), true, false),
        (json!({ "alg": "ECDH-ES" }), false, true),
        (json!({ "key_ops": ["verify"] }), true, false),
        (json!({ "key_ops": ["deriveKey"] }), false, true),
        (json!({ "key_ops": ["verify", "deriveBits"] }), true, true),
        (json!({ "key_ops": ["verify"], "use": "sig" }), true, false),
        (json!({ "x5c": ["AA=="], "unknown": {} }), true, true),
    ] {
        let set = set(&[with(key.clone(), &members)]).unwrap();
        assert_eq!(set.verifying(Alg::Es256, None).len(), usize::from(signs), "{members}");
        assert_eq!(set.encrypting(JweAlg::EcdhEs).is_some(), encrypts, "{members}");
    }
    for members in [
        json!({ "use": "other" }),
        json!({ "use": 1 }),
        json!({ "kid": 1 }),
        json!({ "kid": "k".repeat(1_025) }),
        json!({ "alg": ["ES256"] }),
        json!({ "key_ops": [] }),
        json!({ "key_ops": ["sign"] }),
        json!({ "key_ops": "verify" }),
        json!({ "key_ops": ["verify", 1] }),
        json!({ "key_ops": ["deriveKey"], "use": "sig" }),
        json!({ "key_ops": ["verify"], "use": "enc" }),
    ] {
        assert_eq!(set(&[with(key.clone(), &members)]), Err(JwksError::Empty), "{members}");
    }
    let kept = set(&[with(key, &json!({ "kid": "k", "use": "sig", "x5c": ["AA=="], "unknown": {} }))]).unwrap();
    let jwk: &Map<String, Value> = kept.verifying(Alg::Es256, None)[0].as_ref();
    assert_eq!(jwk.keys().collect::<Vec<_>>(), ["kty", "crv", "x", "y", "kid"], "nothing else is kept");
}

/// T2: the signature of a private half is known, by the algorithm and name asked for and no other.
#[test]
fn signatures() {
    let keys = [Alg::Rs256, Alg::Ps384, Alg::Es256, Alg::Es384, Alg::Es512, Alg::EdDsa]
        .map(|alg| (alg, generate(alg, KeyState::Active).unwrap().private));
    let bare = keys.clone().map(|(_, key)| with(public(&key), &json!({ "kid": key.key_id() })));
    let set = set(&bare).unwrap();
    let other = ClientKeys::from_value(&json!({ "keys": [ec(EcCurve::P256)] })).unwrap();
    for (alg, key) in &keys {
        let (kid, mut header) = (key.key_id().unwrap(), josekit::jws::JwsHeader::new());
        let sign = |header: &josekit::jws::JwsHeader| {
            let mut signer = signer(*alg, key).unwrap();
            josekit::jws::serialize_compact(b"{}", header, signer.as_mut()).unwrap()
        };
        let unnamed = sign(&header);
        header.set_key_id(kid);
        for token in [&unnamed, &sign(&header)] {
            assert!(set.signed(token, *alg, None) && set.signed(token, *alg, Some(kid)), "{alg:?}");
            assert!(!set.signed(token, *alg, Some("other")) && !other.signed(token, *alg, None), "{alg:?}");
            for wrong in Alg::ALL.iter().filter(|wrong| *wrong != alg) {
                assert!(!set.signed(token, *wrong, None), "{alg:?} {wrong:?}");
            }
            let changed = token.replacen('.', "A.", 1);
            for bad in [changed.as_str(), &format!("{token}A"), &token[..token.len() - 8], "", "..", "a.b.c"] {
                assert!(!set.signed(bad, *alg, None), "{alg:?} {bad}");
            }
        }
    }
}

/// T2: a set that holds a private or a symmetric key is refused as a whole; that key is lost.
#[test]
fn private_keys() {
    let good = ec(EcCurve::P256);
    for private in [
        Value::Object(Jwk::generate_ec_key(EcCurve::P256).unwrap().into()),
        Value::Object(Jwk::generate_rsa_key(2_048).unwrap().into()),
        Value::Object(Jwk::generate_ed_key(EdCurve::Ed25519).unwrap().into()),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "oct" }),
        with(good.clone(), &json!({ "d": "" })),
    ] {
        assert_eq!(set(&[good.clone(), private]), Err(JwksError::Private));
    }
}

/// T2: sizes and numbers are bounded, and a key that the cryptography does not take is left out.
#[test]
fn bounds() {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let rsa = |modulus: &[u8], exponent: &[u8]| json!({ "kty": "RSA", "n": encode(modulus), "e": encode(exponent) });
    let modulus = |bits: usize| {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= bits.div_ceil(8) * 8 - bits;
        bytes
    };
    let f4: &[u8] = &[1, 0, 1];
    for bits in [2_048, 4_096, 8_192] {
        assert!(set(&[rsa(&modulus(bits), f4)]).is_ok(), "{bits}");
    }
    let point = ec(EcCurve::P256);
    let short = encode(&[1; 31]);
    for bad in [
        rsa(&modulus(2_047), f4),
        rsa(&[vec![0; 64], modulus(1_024)].concat(), f4),
        rsa(&modulus(8_193), f4),
        rsa(&modulus(2_048), &[1]),
        rsa(&modulus(2_048), &[0, 1]),
        rsa(&modulus(2_048), &[]),
        rsa(&modulus(2_048), &[1, 0, 0]),
        rsa(&modulus(2_048), &[1, 0, 0, 0, 0, 0, 0, 0, 1]),
        rsa(&[], f4),
        json!({ "kty": "RSA", "n": "!", "e": "AQAB" }),
        json!({ "kty": "RSA", "e": "AQAB" }),
        json!({ "kty": "RSA", "n": 5, "e": "AQAB" }),
        with(point.clone(), &json!({ "x": encode(&[1; 32]), "y": encode(&[1; 32]) })),
        with(ec(EcCurve::P384), &json!({ "x": encode(&[1; 48]), "y": encode(&[1; 48]) })),
        with(ec(EcCurve::P521), &json!({ "x": encode(&[1; 66]), "y": encode(&[1; 66]) })),
        with(point.clone(), &json!({ "x": short })),
        with(point.clone(), &json!({ "y": short })),
        with(point.clone(), &json!({ "crv": "P-384" })),
        with(point.clone(), &json!({ "crv": "secp256k1" })),
        with(point.clone(), &json!({ "kty": "OKP", "crv": "Ed25519", "x": short })),
        with(point.clone(), &json!({ "kty": "OKP", "crv": "X25519", "x": short })),
        json!({ "kty": "EC" }),
        json!({}),
        json!({ "kty": "future" }),
    ] {
        assert_eq!(set(std::slice::from_ref(&bad)), Err(JwksError::Empty), "{bad}");
        assert!(set(&[bad, point.clone()]).is_ok(), "the others are used");
    }
    assert!(set(&vec![point.clone(); 64]).is_ok());
    assert_eq!(set(&vec![point.clone(); 65]), Err(JwksError::TooMany));
    assert_eq!(set(&vec![point.clone(); 64]).unwrap().verifying(Alg::Es256, None).len(), 4, "few are tried");
    let padded = |length: usize| {
        let text = json!({ "keys": [point] }).to_string();
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    assert!(ClientKeys::parse(padded(LARGEST).as_bytes()).is_ok());
    assert_eq!(ClientKeys::parse(padded(LARGEST + 1).as_bytes()), Err(JwksError::TooLarge));
    let deep = format!("{{\"keys\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let texts =
        ["", "[]", "{}", "null", "{\"keys\":{}}", "{\"keys\":[1]}", "<html>", "{\"keys\":[]", "\u{fffd}", &deep];
    for text in texts {
        assert_eq!(ClientKeys::parse(text.as_bytes()), Err(JwksError::NotASet), "{}", text.get(..20).unwrap_or(text));
    }
    assert_eq!(ClientKeys::parse(b"{\"keys\":[]}"), Err(JwksError::Empty));
}
