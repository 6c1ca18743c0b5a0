//! The consumer as a label: only after its MAC, and only if the host knows it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, SignOptions, ValidateOptions, tower::ValidateAuthLayer,
};
use http::Request;
use proptest::{prelude::*, test_runner::TestRunner};

use crate::support::{
    cases::Down,
    counted::{counted_requests, recorded, series},
    directory::TestDirectory,
    layers::{
        LEN, Script, ask, ask_both, chunked, data, declared, guard, host, trailers, whole,
        with_body,
    },
    refusals::covering,
    request::{
        NOW, TestRequest, get, options, post, secrets, sign_options, signed_as, signed_with, time,
        with_header, with_signature,
    },
};

/// The host lists one consumer.
fn listing() -> ValidateAuthLayer {
    host(secrets(), listed(options())).replay_guard(guard())
}

fn listed(options: ValidateOptions) -> ValidateOptions {
    options.key_ids([("site-a", DEFAULT_SECRET_NAME)])
}

fn by(key_id: &str) -> SignOptions {
    sign_options().key_id(key_id)
}

fn of_site_a() -> TestRequest {
    signed_with(post(), &by("site-a"))
}

/// What both modes refuse, and whether the counter names the consumer.
#[track_caller]
fn assert_refused(
    layer: &ValidateAuthLayer,
    request: impl Fn() -> Request<Script>,
    kind: &str,
    consumer: Option<&str>,
) {
    let counted = counted_requests(async {
        ask_both(layer, &request).await;
    });
    let consumer = consumer.map_or(String::new(), |consumer| format!(",consumer={consumer}"));
    let name = format!("requests_refused_total{{kind={kind}{consumer}}}");
    assert_eq!(counted, series([(&name, 2)]));
}

#[test]
fn an_accepted_consumer_is_named_if_it_is_listed() {
    let counted = counted_requests(async {
        ask_both(&listing(), || whole(of_site_a())).await;
    });
    let expected = [("requests_validated_total{consumer=site-a}", 2)];
    assert_eq!(counted, series(expected));
    // Without a list, a holder of the one secret chooses the key id.
    let counted = counted_requests(async {
        let layer = host(secrets(), options()).replay_guard(guard());
        ask_both(&layer, || whole(of_site_a())).await;
    });
    assert_eq!(counted, series([("requests_validated_total", 2)]));
}

#[test]
fn a_listed_key_id_with_a_wrong_mac_names_nobody() {
    let forged = || whole(with_header(of_site_a(), "content-type", "text/plain"));
    assert_refused(&listing(), forged, "wrong_mac", None);
    let of_nobody = || whole(signed_with(post(), &by("nobody")));
    assert_refused(&listing(), of_nobody, "unknown_key_id", None);
    let old = || whole(signed_with(post(), &by("site-a").at(time(NOW - 61))));
    assert_refused(&listing(), old, "stale", None);
    let down = host(Down, listed(options()));
    assert_refused(&down, || whole(of_site_a()), "secret_unavailable", None);
}

#[test]
fn a_refusal_after_the_mac_names_the_consumer() {
    type Make<'a> = &'a dyn Fn() -> Request<Script>;

    let digest = |digest: &str| {
        let request = with_header(post(), "content-digest", digest);
        let components = r#""@method" "@authority" "@path" "content-type" "content-digest""#;
        let input = format!(r#"{};keyid="site-a""#, covering(components));
        whole(signed_as(request, &input))
    };
    let uncovered = || {
        let components = r#""@method" "@authority" "@path" "content-type""#;
        let input = format!(r#"{};keyid="site-a""#, covering(components));
        signed_as(post(), &input)
    };
    let bodies: [(&str, Make<'_>); 10] = [
        ("wrong_digest", &|| {
            with_body(of_site_a(), [data(r#"{"month":12,"site":"a"}"#)])
        }),
        ("wrong_digest", &|| with_body(of_site_a(), [])),
        ("malformed_digest", &|| digest("sha-256=:AAAA:")),
        ("unsupported_digest", &|| {
            digest("md5=:6TEzv9FRhYoxTUVfr2i/nA==:")
        }),
        ("body_not_covered", &|| whole(uncovered())),
        ("body_not_covered", &|| declared(whole(uncovered()), LEN)),
        ("body_too_large", &|| declared(whole(of_site_a()), 1 << 40)),
        ("trailers_not_covered", &|| {
            with_body(of_site_a(), [data("a"), trailers(&["x-site"])])
        }),
        ("body_unreadable", &|| {
            let steps = [data("a"), crate::support::layers::Step::Fail("gone")];
            with_body(of_site_a(), steps)
        }),
        ("wrong_content_length", &|| {
            declared(chunked(of_site_a(), 4), LEN + 1)
        }),
    ];
    for (kind, request) in bodies {
        assert_refused(&listing(), request, kind, Some("site-a"));
    }
    let sent = whole;
    let full = listing().replay_guard(guard().capacity(0));
    let late = listing().replay_guard(guard().started_at(time(NOW + 1)));
    let down = listing().replay_guard(Down);
    for (kind, layer) in [
        ("replay_guard_full", full),
        ("before_guard_start", late),
        ("replay_guard_unavailable", down),
    ] {
        assert_refused(&layer, || sent(of_site_a()), kind, Some("site-a"));
    }
}

#[test]
fn a_replay_and_a_body_that_came_too_late_name_the_consumer() {
    let counted = counted_requests(async {
        let (layer, request) = (listing(), of_site_a());
        // Refused after the body, then before it.
        ask(&layer, whole(request.clone())).await;
        ask(&layer, with_body(signed_get(), [])).await;
        ask(&layer, with_body(signed_get(), [])).await;
        ask(&layer, whole(request)).await;
    });
    let expected = [
        ("requests_refused_total{kind=replayed,consumer=site-a}", 2),
        ("requests_validated_total{consumer=site-a}", 2),
    ];
    assert_eq!(counted, series(expected));
    // The clock jumps between the head and the end of the body. The layer reads it once before.
    let late = || {
        let reads = AtomicUsize::new(0);
        let clock = move || match reads.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => time(NOW),
            _ => time(NOW + 61),
        };
        let options = ValidateOptions::new().authorities(["host.example"]);
        host(secrets(), listed(options.clock(clock)))
            .replay_guard(guard().accept_replays_across_restarts())
    };
    let counted = counted_requests(async {
        ask(&late(), whole(of_site_a())).await;
    });
    let expected = [("requests_refused_total{kind=stale,consumer=site-a}", 1)];
    assert_eq!(counted, series(expected));
}

/// Twice the same signature: a GET without a nonce.
fn signed_get() -> TestRequest {
    let input = covering(r#""@method" "@authority" "@path" "@query""#);
    signed_as(get(), &format!(r#"{input};keyid="site-a""#))
}

#[test]
fn a_directory_names_its_consumer_after_the_mac() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(2)] {
        let layer = ValidateAuthLayer::with_directory(directory, options()).replay_guard(guard());
        let request = |key_id: &str| signed_with(post(), &by(key_id));
        let counted = counted_requests(async {
            ask_both(&layer, || whole(request("site-a"))).await;
        });
        let expected = [("requests_validated_total{consumer=Shop A}", 2)];
        assert_eq!(counted, series(expected));
        let forged = || whole(with_header(request("site-a"), "content-type", "text/plain"));
        assert_refused(&layer, forged, "wrong_mac", None);
        for (key_id, kind) in [
            ("nobody", "unknown_key_id"),
            ("gone", "revoked"),
            ("down", "directory_unavailable"),
        ] {
            assert_refused(&layer, || whole(request(key_id)), kind, None);
        }
        let changed = || with_body(request("site-a"), [data("another body")]);
        assert_refused(&layer, changed, "wrong_digest", Some("Shop A"));
    }
}

/// Whatever a peer writes, no label has a word that is not of the host or of this crate.
#[test]
fn no_label_is_a_text_of_a_peer() {
    let mut allowed: BTreeSet<&str> = AuthErrorKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    allowed.extend(["site-a", "Shop A", "unsigned", "unprotected"]);
    allowed.extend(["found", "unknown", "revoked", "failed"]);
    let text = "[ -~]{0,40}";
    let strategy = (text, text, "[a-z*][a-z0-9]{0,8}", 0..4_u8, any::<bool>());
    let requests =
        move |(key_id, tag, label, way, is_signed): (String, String, String, u8, bool)| {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let components = match way {
                0 => r#""@method" "@authority" "@path" "content-type""#,
                _ => r#""@method" "@authority" "@path" "@query""#,
            };
            let input = format!(
                r#"{};keyid="{}";tag="{}""#,
                covering(components),
                quoted(&key_id),
                quoted(&tag)
            );
            let unsigned = match way {
                0 => post(),
                1 => with_header(get(), "x-site", &key_id),
                _ => get(),
            };
            if is_signed {
                signed_as(unsigned, &input)
            } else {
                with_signature(unsigned, &label, &input, &[7; 32])
            }
        };
    TestRunner::default()
        .run(&strategy, |values| {
            let request = requests(values);
            let series = recorded(async {
                let directory = TestDirectory::new();
                let found = ValidateAuthLayer::with_directory(directory, options());
                let alone = host(secrets(), options());
                let layers = [listing(), found, alone.allow_unsigned()];
                for layer in layers.map(|layer| layer.replay_guard(guard())) {
                    ask_both(&layer, || whole(request.clone())).await;
                }
            });
            prop_assert!(!series.is_empty());
            for (key, _) in &series {
                for label in key.key().labels() {
                    prop_assert!(allowed.contains(label.value()), "{key:?}");
                }
            }
            Ok(())
        })
        .unwrap();
}
