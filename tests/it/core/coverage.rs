//! Coverage: each component that a host requires is required alone.

use hmac_auth::{AuthErrorKind as Kind, DigestAlgorithm, SignOptions, validate_auth};
use http::HeaderName;

use crate::support::{
    edit::{Row, assert_rows, digest_of, set, with_uri, without},
    request::{
        NOW, TestRequest, get, options, post, refusal, secrets, sign_options, signed_as,
        signed_with, time, validate, with_header, with_signature,
    },
};

/// A covered field that was absent was read as empty, `()` was accepted, and there was no limit
/// of age.
#[test]
pub(crate) fn pitfall_03_absence_is_an_error_and_coverage_and_age_are_enforced() {
    let site = HeaderName::from_static("x-site");
    let empty = signed_with(set(get(), "x-site", ""), &sign_options().cover(site));
    validate(&empty).unwrap();
    assert_eq!(refusal(&without(empty, "x-site")), Kind::AbsentComponent);

    assert_eq!(
        refusal(&signed_as(get(), "();created=1700000000")),
        Kind::NotCovered
    );
    for input in ["()", r#"("@method" "@authority" "@path" "@query")"#] {
        assert!(
            matches!(
                refusal(&signed_as(get(), input)),
                Kind::NotCovered | Kind::MissingCreated
            ),
            "{input}"
        );
    }
    let signed_at = |at| signed_with(get(), &SignOptions::new().at(time(at)));
    validate(&signed_at(NOW - 60)).unwrap();
    assert_eq!(refusal(&signed_at(NOW - 61)), Kind::Stale);
    assert_eq!(refusal(&signed_at(NOW - 86_400)), Kind::Stale);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn pitfall_29_each_check_of_the_coverage_refuses_alone() {
    let covering = |request: TestRequest, components: &str| {
        signed_as(request, &format!("({components});created={NOW}"))
    };
    let query = |components| covering(get(), components);
    let digest = || {
        set(
            post(),
            "content-digest",
            &digest_of(post().body(), DigestAlgorithm::Sha256),
        )
    };
    let site = || with_header(get(), "x-site", "a");
    let all = r#""@method" "@authority" "@path" "@query""#;
    // What satisfies instead.
    for components in [
        r#""@method" "@target-uri""#,
        r#""@method" "@authority" "@request-target""#,
    ] {
        validate(&query(components)).unwrap();
    }
    validate(&covering(
        with_uri(get(), "https://host.example/orders?"),
        r#""@method" "@authority" "@path""#,
    ))
    .unwrap();
    for (request, components, required) in [
        (
            site(),
            r#""@method" "@authority" "@path" "@query" "x-site""#,
            "x-site",
        ),
        (
            get(),
            r#""@method" "@authority" "@path" "@query" "@scheme""#,
            "@scheme",
        ),
        (get(), r#""@method" "@target-uri""#, "@target-uri"),
        (
            get(),
            r#""@method" "@authority" "@request-target""#,
            "@request-target",
        ),
        (
            digest(),
            r#""@method" "@authority" "@path" "content-digest" "content-type""#,
            "content-digest",
        ),
    ] {
        validate_auth(
            &covering(request, components),
            &secrets(),
            &options().require(required),
        )
        .unwrap();
    }
    let mut rows: Vec<Row> = vec![
        (
            "@method",
            query(r#""@authority" "@path" "@query""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@authority",
            query(r#""@method" "@path" "@query""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@path",
            query(r#""@method" "@authority" "@query""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@query",
            query(r#""@method" "@authority" "@path""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@method beside @target-uri",
            query(r#""@target-uri""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@authority beside @request-target",
            query(r#""@method" "@request-target""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "one parameter of the query",
            query(r#""@method" "@authority" "@path" "@query-param";name="page""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@path by @target-uri only",
            query(all),
            options().require("@target-uri"),
            Kind::NotCovered,
        ),
        (
            "@path by @request-target only",
            query(all),
            options().require("@request-target"),
            Kind::NotCovered,
        ),
        (
            "@scheme",
            query(r#""@method" "@target-uri""#),
            options().require("@scheme"),
            Kind::NotCovered,
        ),
        (
            "a field",
            covering(site(), all),
            options().require("x-site"),
            Kind::NotCovered,
        ),
        (
            "a field that is absent",
            query(all),
            options().require("x-site"),
            Kind::NotCovered,
        ),
        (
            "a field as bytes",
            covering(site(), &format!(r#"{all} "x-site";bs"#)),
            options().require("x-site"),
            Kind::NotCovered,
        ),
        (
            "another field",
            covering(site(), &format!(r#"{all} "x-site""#)),
            options().require("x-sit"),
            Kind::NotCovered,
        ),
        (
            "a digest, without a body",
            query(all),
            options().require("content-digest"),
            Kind::NotCovered,
        ),
        (
            "the query when required",
            covering(post(), r#""@method" "@authority" "@path""#),
            options().require("@query"),
            Kind::NotCovered,
        ),
        (
            "a digest, with a body",
            covering(post(), r#""@method" "@authority" "@path""#),
            options(),
            Kind::BodyNotCovered,
        ),
        (
            "a digest that is there",
            covering(digest(), r#""@method" "@authority" "@path""#),
            options(),
            Kind::BodyNotCovered,
        ),
    ];
    // These have no base that could be signed.
    for (component, kind) in [
        (r#""@status""#, Kind::UnsupportedComponent),
        (r#""@unknown""#, Kind::UnsupportedComponent),
        (r#""X-Site""#, Kind::UnsupportedComponent),
        (r#""x-site";sf"#, Kind::UnsupportedComponent),
        (r#""x-site";key="a""#, Kind::UnsupportedComponent),
        (r#""x-site";tr"#, Kind::UnsupportedComponent),
        (r#""x-site";req"#, Kind::UnsupportedComponent),
        (r#""x-site";unknown"#, Kind::UnsupportedComponent),
        (r#""x-site";bs=?0"#, Kind::UnsupportedComponent),
        (r#""@path";bs"#, Kind::UnsupportedComponent),
        (r#""@query-param""#, Kind::UnsupportedComponent),
        (r#""x-site";name="a""#, Kind::UnsupportedComponent),
        (r#""x-absent""#, Kind::AbsentComponent),
        (r#""@query-param";name="absent""#, Kind::AbsentComponent),
    ] {
        // `@path` may be there twice if one of them is something else.
        let input = format!("({all} {component});created={NOW}");
        rows.push((
            "an unusable component",
            with_signature(site(), "sig1", &input, &[0; 32]),
            options(),
            kind,
        ));
    }
    assert_rows(rows);
}
