//! Setters: in any order they give the same.

use std::time::Duration;

use hmac_auth::{
    AlgParameter, AuthErrorKind as Kind, MemoryReplayGuard, SignOptions, ValidateOptions,
    sign_request, signature::Scheme, validate_auth,
};
use http::header::ACCEPT;

use crate::support::request::{
    INPUT, NOW, get, options, post, secrets, signed, signed_as, time, validate, with_header,
};

type Setter<T> = fn(T) -> T;

/// All orders of a few setters.
fn orders<T>(setters: &[Setter<T>]) -> Vec<Vec<Setter<T>>> {
    let Some((first, others)) = setters.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(others) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, *first);
            all.push(order);
        }
    }
    all
}

fn made<T>(start: T, order: &[Setter<T>]) -> T {
    order.iter().fold(start, |made, setter| setter(made))
}

#[test]
fn a_guard_keeps_its_strictness_in_any_order() {
    let setters: &[Setter<MemoryReplayGuard>] = &[
        |guard| guard.refuse_until(Duration::from_secs(10)),
        |guard| guard.started_at(time(NOW - 10)),
        |guard| guard.capacity(1),
        |guard| guard.capacity_per_consumer(7),
    ];
    let all = orders(setters);
    assert_eq!(all.len(), 24);
    for order in all {
        let guard = made(MemoryReplayGuard::new(), &order);
        // Signed at the last second that the guard refuses, and at the first one that it accepts.
        let early = validate(&signed(get())).unwrap();
        let refusal = guard.first_use(early).unwrap_err();
        assert_eq!(refusal.kind(), Kind::BeforeGuardStart);
        let input = INPUT.replace("1700000000", "1700000001");
        guard
            .first_use(validate(&signed_as(get(), &input)).unwrap())
            .unwrap();
        let another = validate(&signed_as(get(), &format!("{input};nonce=\"2\""))).unwrap();
        let refusal = guard.first_use(another).unwrap_err();
        assert_eq!(refusal.kind(), Kind::ReplayGuardFull);
    }
}

#[test]
fn the_last_choice_about_the_start_counts() {
    let guard = || MemoryReplayGuard::new().started_at(time(NOW));
    let skew = Duration::from_secs(10);
    let strict = guard().accept_replays_across_restarts().refuse_until(skew);
    let lenient = guard().refuse_until(skew).accept_replays_across_restarts();
    let early = || validate(&signed(get())).unwrap();
    let refusal = strict.first_use(early()).unwrap_err();
    assert_eq!(refusal.kind(), Kind::BeforeGuardStart);
    lenient.first_use(early()).unwrap();
}

#[test]
fn a_host_asks_the_same_in_any_order() {
    let setters: &[Setter<ValidateOptions>] = &[
        |options| options.authorities(["host.example:80"]),
        |options| options.external_scheme(Scheme::Http),
        |options| options.require("accept").require("@query"),
        |options| options.tag("orders"),
        |options| options.key_ids([("site-a", hmac_auth::DEFAULT_SECRET_NAME)]),
    ];
    let start = || ValidateOptions::new().at(time(NOW));
    let request = with_header(get(), "accept", "*/*");
    let sign = SignOptions::new()
        .at(time(NOW))
        .cover(ACCEPT)
        .tag("orders")
        .key_id("site-a");
    let mut good = request.clone();
    sign_request(&mut good, &secrets(), &sign).unwrap();
    let mut without_accept = get();
    let sign = SignOptions::new()
        .at(time(NOW))
        .tag("orders")
        .key_id("site-a");
    sign_request(&mut without_accept, &secrets(), &sign).unwrap();
    let mut other_tag = request;
    let sign = sign.tag("other").cover(ACCEPT);
    sign_request(&mut other_tag, &secrets(), &sign).unwrap();

    let all = orders(setters);
    assert_eq!(all.len(), 120);
    for order in all {
        let options = made(start(), &order);
        options.check().unwrap();
        validate_auth(&good, &secrets(), &options).unwrap();
        let refused = |request| validate_auth(request, &secrets(), &options).unwrap_err();
        assert_eq!(refused(&without_accept).kind(), Kind::NotCovered);
        assert_eq!(refused(&other_tag).kind(), Kind::WrongTag);
        let answer = refused(&other_tag).to_response(&options);
        assert_eq!(
            answer.headers()["accept-signature"],
            "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \
             \"accept\");created;alg=\"hmac-sha256\";tag=\"orders\""
        );
    }
}

#[test]
fn a_consumer_signs_the_same_in_any_order() {
    let setters: &[Setter<SignOptions>] = &[
        |options| options.label("mine"),
        |options| options.key_id("site-a"),
        |options| options.tag("orders"),
        |options| options.alg(AlgParameter::HmacSha256),
        |options| options.expires_in(Duration::from_secs(30)),
    ];
    for order in orders(setters) {
        let mut request = post();
        let options = made(SignOptions::new().at(time(NOW)), &order);
        sign_request(&mut request, &secrets(), &options).unwrap();
        let input = request.headers()["signature-input"].to_str().unwrap();
        let (before, rest) = input.split_once(";nonce=\"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        assert_eq!(
            before,
            "mine=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \
             \"content-type\");created=1700000000;expires=1700000030"
        );
        assert_eq!(
            after,
            ";alg=\"hmac-sha256\";keyid=\"site-a\";tag=\"orders\""
        );
        validate_auth(&request, &secrets(), &options_for_tag()).unwrap();
    }
}

fn options_for_tag() -> ValidateOptions {
    options().tag("orders")
}
