//! An explanation never disagrees with `validate_auth`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, SecretError, SecretSet, SecretStore,
    ValidateOptions,
    explain::{RuleOutcome, explain},
    sign_request,
    signature::Scheme,
    testing::{TamperOptions, tampered, wrongly_signed},
    validate_auth,
};

use crate::support::{
    refusals::{
        assert_explained, refusals_of_the_head, refusals_of_the_input, refusals_of_the_rest,
        with_uri,
    },
    request::{
        INPUT, NOW, get, options, post, secret, secrets, sign_options, signed, signed_as,
        signed_by, time, with_signature,
    },
    secret::{NEW, OLD, secret as secret_of},
    shapes::{host, shapes},
};

/// `refused` explains each request that these cases make.
#[test]
fn each_kind_of_refusal_is_explained() {
    let count =
        refusals_of_the_input().len() + refusals_of_the_head().len() + refusals_of_the_rest().len();
    assert!(count > 30, "{count}");
}

#[test]
fn each_changed_request_is_explained() {
    let mut count = 0;
    for shape in shapes() {
        assert_explained(&shape.request, &host(), Ok(()));
        for item in tampered(&shape.request) {
            let verdict = validate_auth(item.request(), &secrets(), &host());
            let verdict = verdict.map(drop).map_err(|error| error.kind());
            assert_explained(item.request(), &host(), verdict);
            count += 1;
        }
    }
    assert!(count > 1_000, "{count}");
}

/// The scheme is that of the host, since no request has it.
#[test]
fn a_host_without_tls_is_explained() {
    let uri = "http://host.example/orders";
    let mut request = with_uri(get(), uri);
    let of_consumer = sign_options().scheme(Scheme::Http).cover("@scheme");
    sign_request(&mut request, &secrets(), &of_consumer).unwrap();
    let host = options().external_scheme(Scheme::Http);
    assert_explained(&request, &host, Ok(()));
    let changed = with_uri(request, "http://host.example/others");
    assert_explained(&changed, &host, Err(AuthErrorKind::WrongMac));
    let text = explain(&changed, &secrets(), &host).to_string();
    assert!(text.contains("\"@scheme\": http\n"), "{text}");
    // Of a signature whose head is refused, too.
    let input = format!(r#"("@scheme");created={NOW}"#);
    let little = with_signature(with_uri(get(), uri), "sig1", &input, &[0; 32]);
    let text = explain(&little, &secrets(), &host).to_string();
    assert!(text.contains("\"@scheme\": http\n"), "{text}");
}

#[test]
fn each_wrongly_signed_request_is_explained() {
    let kit = TamperOptions::new(secret()).sign_options(sign_options());
    for item in wrongly_signed(&post(), &kit) {
        let error = validate_auth(item.request(), &secrets(), &options()).unwrap_err();
        assert_explained(item.request(), &options(), Err(error.kind()));
    }
}

/// The signature that counts is explained, wherever it stands.
#[test]
fn of_several_signatures_the_right_one_is_explained() {
    let stranger = with_signature(get(), "a", r#"("@method");keyid="them""#, &[0; 32]);
    let behind = signed_as(stranger.clone(), INPUT);
    let explanation = explain(&behind, &secrets(), &options());
    assert!(explanation.is_accepted(), "{explanation}");
    assert_eq!(explanation.base_lines().len(), 5);

    let other = secret_of(OLD);
    let refused = signed_by(&other, stranger, INPUT);
    let explanation = explain(&refused, &secrets(), &options());
    assert_eq!(explanation.kind(), Some(AuthErrorKind::WrongMac));
    assert_eq!(explanation.base_lines().len(), 5);
}

#[test]
fn the_rules_say_what_was_expected_and_found() {
    let options = options().key_ids([("site-a", "secret-a")]).tag("orders");
    let request = signed_as(get(), &format!(r#"{INPUT};keyid="site-b""#));
    let explanation = explain(&request, &secrets(), &options);
    let failed = explanation
        .rules()
        .iter()
        .find(|rule| rule.outcome() == RuleOutcome::Failed)
        .unwrap();
    assert_eq!(failed.name(), "parameters");
    assert_eq!(
        failed.expected(),
        r#"keyid among site-a, tag "orders", alg "hmac-sha256" or none"#
    );
    assert_eq!(failed.found(), r#"keyid "site-b", no tag, no alg"#);
    let text = explanation.to_string();
    assert!(text.starts_with("refused: unknown_key_id\n"), "{text}");
    assert!(
        text.contains("\n  FAILED  parameters  expected keyid among site-a, "),
        "{text}"
    );
    assert!(text.contains("\n  -       mac         expected "), "{text}");
}

#[test]
fn an_accepted_request_names_its_consumer_and_its_secret() {
    let names = |secrets: &MemorySecrets| {
        let explanation = explain(&signed(post()), secrets, &options());
        assert!(explanation.is_accepted() && explanation.hints().is_empty());
        let mac = explanation.rules().iter().find(|rule| rule.name() == "mac");
        (
            explanation.consumer().unwrap().to_owned(),
            mac.unwrap().found().to_owned(),
        )
    };
    let fingerprint = secret().fingerprint();
    assert_eq!(
        names(&secrets()),
        (
            "hmac-authentication-secret-key".to_owned(),
            format!("it, under the current secret {fingerprint}")
        )
    );
    let rotated = secrets();
    rotated.rotate(DEFAULT_SECRET_NAME, secret_of(NEW)).unwrap();
    assert_eq!(
        names(&rotated).1,
        format!("it, under the previous secret {fingerprint}")
    );
}

/// What is explained is what was tried, even if the store changes between two look-ups.
#[test]
fn a_store_that_changes_is_explained_as_it_was() {
    struct Changing(AtomicUsize);
    impl SecretStore for Changing {
        fn lookup(&self, _: &str) -> Result<SecretSet, SecretError> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(match number {
                0 => secret().into(),
                _ => secret_of(OLD).into(),
            })
        }
    }
    let store = Changing(0.into());
    let explanation = explain(&signed(post()), &store, &options());
    assert!(explanation.is_accepted());
    assert_eq!(explanation.fingerprints(), [secret().fingerprint()]);
    assert_eq!(store.0.into_inner(), 1);
}

/// Without a clock of its own, an explanation takes one time for all its steps.
#[test]
fn all_steps_happen_at_one_time() {
    let ticks = Arc::new(AtomicU64::new(0));
    let clock = {
        let ticks = ticks.clone();
        move || {
            let tick = ticks.fetch_add(1, Ordering::SeqCst);
            time(NOW) + Duration::from_secs(100 * tick)
        }
    };
    let options = ValidateOptions::new().clock(clock);
    let explanation = explain(&signed(post()), &secrets(), &options);
    assert!(explanation.is_accepted(), "{explanation}");
    assert_eq!(ticks.load(Ordering::SeqCst), 1);
}
