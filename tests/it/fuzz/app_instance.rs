//! App instances: none is accepted without the app secret, and one that Wix has signed is read as
//! its JSON says.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use hmac_auth::{
    SecretSet,
    wix::{AppInstance, AppInstanceErrorKind as Kind, AppInstanceOptions, Identity},
};
use serde_json::{Map, Value};

use super::{choices::Choices, host, json::repeats_name};

const APP_ID: &str = "app-1";

static SECRETS: LazyLock<SecretSet> = LazyLock::new(|| host::SECRET.clone().into());

static OPTIONS: LazyLock<[AppInstanceOptions; 2]> = LazyLock::new(|| {
    let options = AppInstanceOptions::new().at(host::now());
    [options.clone(), options.app_id(APP_ID)]
});

/// Parses a text, as it is or signed.
///
/// # Panics
///
/// If the text is accepted without the secret, or read wrongly.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mode = choices.below(8);
    let (needs_app, change) = (mode % 2 == 1, choices.byte());
    let Ok(text) = std::str::from_utf8(choices.rest()) else {
        return;
    };
    let options = &OPTIONS[usize::from(needs_app)];
    let parse = |text: &str| AppInstance::parse(text, &SECRETS, options);
    let payload = match mode {
        0 | 1 => {
            let result = parse(text);
            let error = result.expect_err("accepted without the secret").to_string();
            assert!(error.chars().all(|char| !char.is_control()), "{error:?}");
            return;
        }
        2 | 3 => text.to_owned(),
        4 => STANDARD.encode(text),
        _ => URL_SAFE_NO_PAD.encode(text),
    };
    let signature = URL_SAFE_NO_PAD.encode(host::SECRET.mac(payload.as_bytes()).into_bytes());
    let signed = format!("{signature}.{payload}");
    let result = parse(&signed);
    if mode > 3 {
        let expected = serde_json::from_str(text).ok().filter(Value::is_object);
        compare(&result, expected.as_ref(), text, needs_app);
    }
    if let Ok(instance) = result {
        assert_eq!(
            decoded(&payload).as_deref(),
            Some(instance.as_json().as_bytes())
        );
        refuse_changed(&signed, change, options);
    }
}

/// The bytes of base64 in any alphabet, padded or not.
fn decoded(payload: &str) -> Option<Vec<u8>> {
    let text = payload
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    STANDARD_NO_PAD.decode(text).ok()
}

/// With another payload, or another MAC, the text is refused.
fn refuse_changed(signed: &str, change: u8, options: &AppInstanceOptions) {
    let mut text = signed.as_bytes().to_vec();
    let at = usize::from(change) * 7 % text.len();
    text[at] = match text[at] {
        b'A' => b'Q',
        b'.' => return,
        _ => b'A',
    };
    let text = String::from_utf8(text).expect("ASCII");
    let result = AppInstance::parse(&text, &SECRETS, options);
    assert!(result.is_err(), "changed and accepted");
}

fn compare(
    ours: &Result<AppInstance, hmac_auth::wix::AppInstanceError>,
    json: Option<&Value>,
    text: &str,
    needs_app: bool,
) {
    let Some(fields) = json.and_then(Value::as_object) else {
        // Of a field that nobody reads, `serde_json` may refuse the value alone.
        assert!(ours.is_err() || text.trim_ascii_start().starts_with('{'));
        return;
    };
    match (ours, expected(fields, needs_app)) {
        (Ok(instance), true) => compare_fields(instance, fields),
        (Ok(_), false) => panic!("accepted: {text}"),
        (Err(error), true) => assert!(
            error.kind() == Kind::MalformedPayload && repeats_name(text.as_bytes())
                || error.kind() == Kind::TooLarge && text.len() > 6000,
            "refused: {error}: {text}"
        ),
        (Err(_), false) => {}
    }
}

/// Whether an app instance with these fields is accepted.
fn expected(fields: &Map<String, Value>, needs_app: bool) -> bool {
    let get = |name: &str| fields.get(name).unwrap_or(&Value::Null);
    let date = |name: &str| date(get(name));
    let is_text = |name: &&str| get(name).is_string() || get(name).is_null();
    let app_id = get("appDefId").as_str();
    let now = host::now();
    let Some(signed) = date("signDate") else {
        return false;
    };
    let expires = match get("expirationDate") {
        Value::Null => None,
        _ => date("expirationDate").or_else(|| signed.checked_add(Duration::from_secs(14_400))),
    };
    let is_stale = now
        .duration_since(signed)
        .is_ok_and(|age| age > Duration::from_secs(86_400));
    let is_ahead = signed
        .duration_since(now)
        .is_ok_and(|ahead| ahead > Duration::from_secs(10));
    get("instanceId").as_str().is_some_and(|id| !id.is_empty())
        && ["appDefId", "uid", "aid", "permissions"]
            .iter()
            .all(is_text)
        && (!needs_app || app_id.is_some_and(|id| id.eq_ignore_ascii_case(APP_ID)))
        && !is_stale
        && !is_ahead
        && expires.is_none_or(|date| date >= now)
}

fn date(value: &Value) -> Option<SystemTime> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    SystemTime::try_from(time).ok()
}

fn compare_fields(instance: &AppInstance, fields: &Map<String, Value>) {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let id = |name: &str| text(name).filter(|id| !id.is_empty());
    assert_eq!(Some(instance.instance_id()), text("instanceId"));
    assert_eq!(instance.user_id(), id("uid"));
    assert_eq!(instance.anonymous_id(), id("aid"));
    assert_eq!(instance.permissions(), text("permissions"));
    assert_eq!(instance.app_id(), text("appDefId"));
    assert_eq!(instance.vendor_product_id(), text("vendorProductId"));
    assert_eq!(instance.site_owner_id(), text("siteOwnerId"));
    assert_eq!(instance.site_member_id(), text("siteMemberId"));
    assert_eq!(instance.login_account_id(), text("loginAccountId"));
    assert_eq!(instance.origin_instance_id(), text("originInstanceId"));
    assert_eq!(Some(instance.sign_date()), date(&fields["signDate"]));
    assert_eq!(
        instance.demo_mode(),
        fields.get("demoMode").and_then(Value::as_bool)
    );
    let is_owner =
        text("permissions") == Some("OWNER") && id("uid").is_some() && id("aid").is_none();
    assert_eq!(instance.require_owner().is_ok(), is_owner);
    assert_eq!(instance.identity() == Identity::Owner, is_owner);
}
