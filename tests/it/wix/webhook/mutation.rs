//! Every change of a signed text is refused.

use hmac_auth::wix::WebhookErrorKind as Kind;

use crate::support::webhook::{
    HEADER, NOW, claims, envelope, refusal, signed, signed_by, vector, verify, webhook,
};

/// A short webhook, so that all of its bytes can be changed.
fn text() -> String {
    webhook(&envelope("AppInstalled", "{}"))
}

#[test]
fn each_byte_counts() {
    let text = text();
    assert!(verify(&text).is_ok());
    for index in 0..text.len() {
        for change in [b'A', b'_', b'.', b'=', b' ', 0, 0x80] {
            let mut changed = text.clone().into_bytes();
            if changed[index] == change {
                continue;
            }
            changed[index] = change;
            assert!(verify(&changed).is_err(), "{change:?} at {index}");
        }
        let mut changed = text.clone().into_bytes();
        changed[index] ^= 0x20;
        assert!(verify(&changed).is_err(), "the case at {index}");
        changed = text.clone().into_bytes();
        changed.remove(index);
        assert!(verify(&changed).is_err(), "none at {index}");
    }
}

/// The last character of base64 has bits that no byte needs: they must be zero.
#[test]
fn there_is_one_way_to_write_a_signature() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = text();
    let mut accepted = 0;
    for last in ALPHABET {
        let mut changed = text.clone().into_bytes();
        *changed.last_mut().unwrap() = *last;
        accepted += usize::from(verify(&changed).is_ok());
    }
    assert_eq!(accepted, 1);
    for padding in ["=", "=="] {
        assert_eq!(refusal(format!("{text}{padding}")), Kind::NotJwt);
    }
}

#[test]
fn parts_cannot_be_swapped_left_out_or_repeated() {
    let text = text();
    let (other, _) = vector("app removed");
    let parts: Vec<&str> = text.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("not three parts")
    };
    for changed in [
        format!("{payload}.{header}.{signature}"),
        format!("{header}.{signature}.{payload}"),
        format!("{signature}.{payload}.{header}"),
        format!("{header}.{}.{signature}", others[1]),
        format!("{header}.{payload}.{}", others[2]),
        format!("{header}.{payload}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}."),
        format!("{text}."),
        format!(".{text}"),
        format!("{text}.{signature}"),
        format!("{text}{text}"),
        format!("{text}.{text}"),
        "..".to_owned(),
    ] {
        assert!(verify(&changed).is_err(), "{changed}");
    }
}

#[test]
fn nothing_stands_around_the_text() {
    let text = text();
    for changed in [
        format!("{text}\n"),
        format!("{text}\r\n"),
        format!(" {text}"),
        format!("{text}\0"),
        format!("\u{feff}{text}"),
        format!("Bearer {text}"),
        format!("JWT={text}"),
    ] {
        assert!(verify(&changed).is_err(), "{changed:?}");
    }
    let error = verify(format!("{text}\n")).unwrap_err();
    assert!(error.to_string().contains("whitespace"), "{error}");
}

#[test]
fn no_claim_may_stand_twice() {
    let text = envelope("AppInstalled", "{}").to_string();
    let data = serde_json::to_string(&text).unwrap();
    let (iat, exp) = (NOW, NOW + 60);
    for claims in [
        format!(r#"{{"data":{data},"iat":{iat},"iat":{iat},"exp":{exp}}}"#),
        format!(r#"{{"data":{data},"iat":{iat},"exp":1,"exp":{exp}}}"#),
        format!(r#"{{"data":{data},"data":{data},"iat":{iat},"exp":{exp}}}"#),
    ] {
        assert_eq!(refusal(signed(&claims)), Kind::MalformedClaims, "{claims}");
    }
    for envelope in [
        r#"{"eventType":"A","eventType":"B","data":"{}"}"#,
        r#"{"eventType":"A","instanceId":"i-1","instanceId":"i-2","data":"{}"}"#,
        r#"{"eventType":"A","data":"{}","data":"[]"}"#,
    ] {
        let text = signed(&claims(envelope));
        assert_eq!(refusal(text), Kind::MalformedClaims, "{envelope}");
    }
}

#[test]
fn signed_claims_of_another_shape_are_refused() {
    let data = envelope("AppInstalled", "{}").to_string();
    for claims in [
        "",
        "null",
        "[]",
        "\"text\"",
        "{",
        "{}",
        r#"["data",1700000000,1700000060]"#,
    ] {
        assert_eq!(refusal(signed(claims)), Kind::MalformedClaims, "{claims}");
    }
    for (name, value) in [
        ("data", serde_json::json!(7)),
        ("data", serde_json::json!(["x"])),
        ("data", serde_json::json!("")),
        ("data", serde_json::json!("[]")),
        ("data", serde_json::json!("{}")),
        ("data", serde_json::json!(r#"{"eventType":""}"#)),
        ("data", serde_json::json!(r#"{"eventType":7}"#)),
        (
            "data",
            serde_json::json!(r#"{"eventType":"A","instanceId":7}"#),
        ),
        ("iat", serde_json::json!("1700000000")),
        ("iat", serde_json::json!(null)),
        ("exp", serde_json::json!(null)),
        ("exp", serde_json::json!(-1)),
        ("exp", serde_json::json!(1e300)),
        // Milliseconds: Wix means seconds.
        ("exp", serde_json::json!(1_700_000_060_000_u64)),
    ] {
        let mut changed = claims(&*data);
        changed[name] = value;
        assert_eq!(
            refusal(signed(&changed)),
            Kind::MalformedClaims,
            "{changed}"
        );
    }
    for name in ["iat", "exp", "data"] {
        let mut changed = claims(&*data);
        changed.as_object_mut().unwrap().remove(name);
        assert_eq!(refusal(signed(&changed)), Kind::MalformedClaims, "{name}");
    }
    let not_utf8 = signed_by("app", HEADER, b"{\"data\":\"\xff\"}");
    assert_eq!(refusal(not_utf8), Kind::MalformedClaims);
}
