//! The tamper kit on requests of many shapes: a host refuses each of its items, and the kit leaves
//! nothing out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use hmac_auth::{
    ValidateOptions,
    testing::{Part, TamperOptions, Tampered, tampered, wrongly_signed},
    validate_auth,
};
use http::Request;

use crate::support::{
    request::{NOW, TestRequest, options, post, secret, secrets, sign_options, signed, time},
    shapes::{Shape, Tally, host, request, shapes},
};

/// With a body that has no type, which may not get one on the way.
fn all_shapes() -> Vec<Shape> {
    let untyped = request("POST", "https://host.example/orders", &[], b"hello");
    let mut shapes = shapes();
    shapes.push(Shape {
        name: "body of no type",
        request: signed(untyped),
    });
    shapes
}

#[test]
fn every_item_is_refused_whatever_the_options_are() {
    let mut tally = Tally::default();
    let mut parts = BTreeSet::new();
    for shape in all_shapes() {
        for item in tampered(&shape.request) {
            parts.insert(item.part());
            if item.part() != Part::Replay {
                tally.judge_item(&shape, &item);
            }
        }
    }
    tally.assert_exceptions(&[]);
    assert!(tally.refusals() > 7 * 150, "{}", tally.refusals());
    assert_eq!(parts.len(), 15, "{parts:?}");
}

/// No two items are the same request, and none is the original, but for the replay.
#[test]
fn every_item_is_another_request() {
    for shape in all_shapes() {
        let items = tampered(&shape.request);
        let (replay, others) = items.split_last().unwrap();
        assert_eq!(replay.part(), Part::Replay);
        let mut seen = BTreeMap::from([(text(&of_shape(&shape)), "the original")]);
        assert_eq!(seen.get(&*text(replay.request())), Some(&"the original"));
        let mut descriptions = BTreeSet::new();
        for item in others {
            assert!(descriptions.insert(item.description()), "{item}");
            if let Some(same) = seen.insert(text(item.request()), item.description()) {
                panic!("{}: `{item}` is `{same}`", shape.name);
            }
        }
    }
}

fn of_shape(shape: &Shape) -> Request<Bytes> {
    shape.request.clone().map(Into::into)
}

fn text(request: &Request<Bytes>) -> String {
    // A `Debug` of the fields hides the sensitive one.
    let mut fields = Vec::new();
    for (name, value) in request.headers() {
        fields.push((name.as_str(), value.as_bytes()));
    }
    let (method, uri, body) = (request.method(), request.uri(), request.body());
    format!("{method} {uri} {fields:?} {body:?}")
}

#[test]
fn the_list_is_the_same_each_time_and_in_the_order_of_the_parts() {
    for shape in shapes() {
        let [first, second] = [(); 2].map(|()| tampered(&shape.request));
        let described = |items: &[Tampered]| -> Vec<(Part, String, String)> {
            let described = items.iter().map(|item| {
                let description = item.description().to_owned();
                assert_eq!(item.to_string(), description);
                (item.part(), description, text(item.request()))
            });
            described.collect()
        };
        assert_eq!(described(&first), described(&second));
        assert!(first.is_sorted_by_key(Tampered::part), "{}", shape.name);
    }
}

/// What the shape has decides which parts can be changed.
#[test]
fn each_part_of_a_request_is_changed() {
    let count = |request: &TestRequest| {
        let mut count = BTreeMap::new();
        for item in tampered(request) {
            *count.entry(item.part()).or_insert(0) += 1;
        }
        count
    };
    let by_name: BTreeMap<_, _> = shapes()
        .into_iter()
        .map(|shape| (shape.name, count(&shape.request)))
        .collect();
    let get = &by_name["GET without body"];
    let post = &by_name["POST of JSON"];
    assert!(!get.contains_key(&Part::Field));
    assert!(!get.contains_key(&Part::UncoveredContentType));
    assert!(!post.contains_key(&Part::UncoveredContentEncoding));
    assert!(post[&Part::Body] > get[&Part::Body]);
    assert!(by_name["query"][&Part::Query] > 20);
    assert!(by_name["field of several lines"][&Part::Field] > 30);
    for (name, count) in &by_name {
        for part in [
            Part::Method,
            Part::Authority,
            Part::Path,
            Part::Query,
            Part::ContentDigest,
            Part::Body,
            Part::SignatureFields,
            Part::Mac,
            Part::Components,
            Part::Parameters,
            Part::Time,
            Part::Replay,
        ] {
            assert!(
                count.get(&part).is_some_and(|count| *count > 0),
                "{name}: {part}"
            );
        }
    }
}

#[test]
fn a_host_refuses_what_is_well_signed_and_wrong() {
    let host = ValidateOptions::new()
        .authorities(["host.example", "host.example:8443"])
        .at(time(NOW));
    let mut count = 0;
    for shape in shapes() {
        let mut unsigned = shape.request.clone();
        for name in ["signature", "signature-input", "content-digest"] {
            unsigned.headers_mut().remove(name);
        }
        let options = TamperOptions::new(secret()).sign_options(sign_options());
        for item in wrongly_signed(&unsigned, &options) {
            let result = validate_auth(item.request(), &secrets(), &host);
            assert!(result.is_err(), "{}: accepted: {item}", shape.name);
            count += 1;
        }
    }
    assert!(count > 7 * 15, "{count}");
}

/// Each well signed request is wrong for one reason alone: a host without that check accepts it.
#[test]
fn what_is_well_signed_is_wrong_for_one_reason() {
    let options = |options: TamperOptions| options.sign_options(sign_options());
    let items = |options: &TamperOptions| wrongly_signed(&post(), options);
    let default = options(TamperOptions::new(secret()));
    let accepted = |host: &ValidateOptions| -> Vec<String> {
        let accepted = items(&default)
            .into_iter()
            .filter(|item| validate_auth(item.request(), &secrets(), host).is_ok());
        accepted.map(|item| item.description().to_owned()).collect()
    };
    assert_eq!(accepted(&self::options()), <[String; 0]>::default());
    assert_eq!(
        accepted(&ValidateOptions::new().at(time(NOW))),
        ["authority: well signed, for another host"]
    );
    let hour = Duration::from_secs(3_600);
    assert_eq!(
        accepted(&self::options().max_time_diff(hour)),
        ["time: well signed, a second older than the host accepts"]
    );
    assert_eq!(
        accepted(&self::options().max_clock_skew(hour)),
        ["time: well signed, further in the future than the host accepts"]
    );
    assert_eq!(
        accepted(&self::options().accept_uncovered_content_type()),
        [
            "components: well signed, without \"content-type\"",
            "components: well signed, with \"content-type\";bs in place of \"content-type\"",
        ]
    );
    assert_eq!(accepted(&host()).len(), 5);
    // What the host is said to accept is not in the list.
    let lenient = default
        .clone()
        .host_accepts_any_authority()
        .host_accepts_uncovered_content_type();
    assert_eq!(items(&lenient).len() + 3, items(&default).len());
}

#[test]
#[should_panic(expected = "sign the request of this test first")]
fn the_kit_wants_a_signed_request() {
    let _ = tampered(&post());
}
