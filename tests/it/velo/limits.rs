//! The limits of the crate and of the site are the same: each at its edge, and one beyond.

use hmac_auth::{SignError, SignOptions, sign_request};
use http::Uri;
use serde_json::json;

use crate::support::{
    message::{signed_as_is, verdict},
    node::Worker,
    request::{
        NOW, TestRequest, base_of, get, post, secrets, sign_options, signed, signed_as,
        signed_with, time, with_header, with_signature,
    },
};

/// The `Content-Digest` of an empty body.
const OF_NOTHING: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

const ALL: &str = r#""@method" "@authority" "@path" "@query""#;

/// What is limited, where its edge is, how a request with so much of it is made, and what both say
/// at the edge and beyond.
struct Limit {
    what: &'static str,
    edge: usize,
    request: Box<dyn Fn(usize) -> TestRequest>,
    at_edge: &'static str,
    beyond: &'static str,
}

fn limit(
    what: &'static str,
    edge: usize,
    beyond: &'static str,
    request: impl Fn(usize) -> TestRequest + 'static,
) -> Limit {
    Limit {
        what,
        edge,
        request: Box::new(request),
        at_edge: "accepted",
        beyond,
    }
}

#[test]
fn each_limit_is_the_same_in_the_crate_and_on_the_site() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let all = shape().into_iter().chain(values()).chain(shared());
    for Limit {
        what,
        edge,
        request,
        at_edge,
        beyond,
    } in all
    {
        for (amount, expected) in [(edge, at_edge), (edge + 1, beyond)] {
            let request = request(amount);
            assert_eq!(verdict(&request), expected, "crate: {amount} {what}");
            assert_eq!(worker.verdict(&request), expected, "site: {amount} {what}");
        }
    }
}

/// The limits of the two signature fields and of `Content-Digest`.
fn shape() -> Vec<Limit> {
    let numbered = |count: usize, name: &str| {
        (0..count)
            .map(|i| format!(";{name}{i}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let input = |more: &str| format!("({ALL});created={NOW}{more}");
    let padded = |text: String, len: usize| {
        text.replacen(
            ", ",
            &format!(",{}", " ".repeat(len + 2 - text.len() - 1)),
            1,
        )
    };
    let refield = move |mut request: TestRequest, name: &'static str, len: usize| {
        let mut lines = request.headers().get_all(name).iter();
        let lines: Vec<_> = lines.by_ref().map(|line| line.to_str().unwrap()).collect();
        let value = padded(lines.join(", "), len).parse().unwrap();
        request.headers_mut().insert(name, value);
        request
    };
    let with_digest = |value: &str| {
        let request = with_header(post(), "content-digest", value);
        signed_as(
            request,
            &format!("({ALL} \"content-digest\" \"content-type\");created={NOW}"),
        )
    };
    let digest = || {
        signed(post()).headers()["content-digest"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let stranger = || with_signature(signed(get()), "other", "();alg=\"x\"", &[7; 8]);
    let mut all = vec![
        limit("components", 32, "malformed_signature_input", |count| {
            let names: Vec<_> = (2..count).map(|i| &*format!("x-{i}").leak()).collect();
            let request = names
                .iter()
                .fold(get(), |request, name| with_header(request, name, "1"));
            let names = names.join("\" \"");
            signed_as_is(
                request,
                &format!("(\"@method\" \"@target-uri\" \"{names}\");created={NOW}"),
            )
        }),
        limit(
            "unknown parameters",
            16,
            "malformed_signature_input",
            move |count| signed_as_is(get(), &input(&numbered(count, "p"))),
        ),
        limit(
            "parameters with all known ones",
            22,
            "malformed_signature_input",
            move |count| {
                let known =
                    format!(";expires={NOW};nonce=\"\";alg=\"hmac-sha256\";keyid=\"\";tag=\"\"");
                signed_as_is(
                    get(),
                    &input(&format!("{known}{}", numbered(count - 6, "p"))),
                )
            },
        ),
        limit("labels", 16, "malformed_signature_input", |count| {
            (1..count).fold(signed(get()), |request, i| {
                with_signature(request, &format!("s{i}"), "();alg=\"x\"", &[7; 8])
            })
        }),
        limit("candidates", 4, "too_many_candidates", |count| {
            (1..count).fold(signed(get()), |request, i| {
                with_signature(
                    request,
                    &format!("s{i}"),
                    &format!("({ALL});created={NOW}"),
                    &[7; 32],
                )
            })
        }),
        limit("bytes of a MAC", 32, "malformed_signature", |len| {
            let request = signed_as(get(), &format!("({ALL});created={NOW}"));
            if len == 32 {
                request
            } else {
                with_signature(
                    get(),
                    "sig1",
                    &format!("({ALL});created={NOW}"),
                    &vec![7; len],
                )
            }
        }),
        limit(
            "bytes of Signature-Input",
            8192,
            "malformed_signature_input",
            move |len| refield(stranger(), "signature-input", len),
        ),
        limit(
            "bytes of Signature",
            8192,
            "malformed_signature",
            move |len| refield(stranger(), "signature", len),
        ),
        limit(
            "bytes of Content-Digest",
            8192,
            "malformed_digest",
            move |len| {
                // Covered, it would be too large as a field.
                let value = format!("{OF_NOTHING}, md5=:AA==:");
                with_header(signed(get()), "content-digest", &padded(value, len))
            },
        ),
        limit("digests", 16, "malformed_digest", move |count| {
            let others = (1..count)
                .map(|i| format!(", a{i}=:AA==:"))
                .collect::<Vec<_>>()
                .concat();
            with_digest(&format!("{}{others}", digest()))
        }),
        limit(
            "parameters of a digest",
            16,
            "malformed_digest",
            move |count| with_digest(&format!("{}{}", digest(), numbered(count, "p"))),
        ),
    ];
    let component = limit(
        "parameters of a component",
        16,
        "malformed_signature_input",
        move |count| {
            let list = format!("({ALL} \"x-a\"{});created={NOW}", numbered(count, "p"));
            signed_as_is(with_header(get(), "x-a", "1"), &list)
        },
    );
    all.push(Limit {
        at_edge: "unsupported_component",
        ..component
    });
    all
}

/// The limits of numbers, times, and single values.
fn values() -> Vec<Limit> {
    let input = |more: &str| format!("({ALL});created={NOW}{more}");
    let aged = |age: i64| signed_with(get(), &SignOptions::new().at(time(NOW - age)));
    let digits = |before: &'static str, after: &'static str| {
        move |len: usize| {
            let number = "9".repeat(len);
            signed_as_is(get(), &input(&format!("{before}{number}{after}")))
        }
    };
    let kind = "malformed_signature_input";
    vec![
        limit("digits of an integer", 15, kind, digits(";x=-", "")),
        limit("digits of a date", 15, kind, digits(";x=@-", "")),
        limit("digits before the point", 12, kind, digits(";x=", ".5")),
        limit("digits behind the point", 3, kind, digits(";x=5.", "")),
        limit("seconds of age", 60, "stale", move |age| {
            aged(i64::try_from(age).unwrap())
        }),
        limit("seconds ahead", 10, "in_future", move |ahead| {
            aged(-i64::try_from(ahead).unwrap())
        }),
        limit("seconds since it expired", 0, "expired", move |ago| {
            let expires = NOW - i64::try_from(ago).unwrap();
            signed_as(get(), &input(&format!(";expires={expires}")))
        }),
        limit("digits of a port", 5, "invalid_authority", move |len| {
            with_uri(
                &format!("https://host.example:{}/", "1".repeat(len)),
                &input(""),
            )
        }),
        limit("bytes of a field", 8192, "too_large", move |len| {
            let request = with_header(get(), "x-a", &"x".repeat(len));
            signed_as_is(request, &format!("({ALL} \"x-a\");created={NOW}"))
        }),
        limit(
            "bytes of a query with a parameter",
            8192,
            "too_large",
            |len| {
                let query = format!("p0=1{}", "&".repeat(len - 4));
                with_uri(&format!("https://host.example/?{query}"), &with_params(1))
            },
        ),
        limit(
            "bytes of a query parameter, encoded",
            8192,
            "too_large",
            |len| {
                // Each `!` is written in three bytes.
                let value = format!("{}{}", "!".repeat(2730), "x".repeat(len - 3 * 2730));
                with_uri(
                    &format!("https://host.example/?p0={value}"),
                    &with_params(1),
                )
            },
        ),
    ]
}

/// The limits that all signatures of a request which are meant for the host share.
fn shared() -> Vec<Limit> {
    // They count, and come less far than ours.
    let among = |signatures: usize, request: TestRequest| {
        (1..signatures).fold(request, |request, i| {
            with_signature(
                request,
                &format!("s{i}"),
                &format!("();created={NOW}"),
                &[7; 32],
            )
        })
    };
    (1..=4)
        .flat_map(|signatures| {
            [
                limit(
                    "bytes of the signature base",
                    32 * 1024 / signatures,
                    "too_large",
                    move |len| among(signatures, with_base_of(len)),
                ),
                limit("@query-param", 8 / signatures, "too_large", move |count| {
                    let query = (0..count)
                        .map(|i| format!("&p{i}=1"))
                        .collect::<Vec<_>>()
                        .concat();
                    let uri = format!("https://host.example/?{query}");
                    among(signatures, with_uri(&uri, &with_params(count)))
                }),
                limit(
                    "parameters of the query",
                    128 / signatures,
                    "too_large",
                    move |count| {
                        let query = (0..count)
                            .map(|i| format!("p{i}&&"))
                            .collect::<Vec<_>>()
                            .concat();
                        let uri = format!("https://host.example/?{query}");
                        among(signatures, with_uri(&uri, &with_params(1)))
                    },
                ),
            ]
        })
        .collect()
}

/// The value of a `Signature-Input` that covers so many parameters of the query one by one.
fn with_params(count: usize) -> String {
    let params = (0..count)
        .map(|i| format!(" \"@query-param\";name=\"p{i}\""))
        .collect::<Vec<_>>()
        .concat();
    format!("({ALL}{params});created={NOW}")
}

fn with_uri(uri: &str, input: &str) -> TestRequest {
    let mut request = get();
    *request.uri_mut() = uri.parse::<Uri>().unwrap();
    signed_as_is(request, input)
}

/// A signed request with a signature base of so many bytes.
fn with_base_of(len: usize) -> TestRequest {
    const NAMES: [&str; 5] = ["x-a", "x-b", "x-c", "x-d", "x-e"];
    let input = format!("({ALL} \"{}\");created={NOW}", NAMES.join("\" \""));
    let empty = NAMES
        .into_iter()
        .fold(get(), |request, name| with_header(request, name, ""));
    let mut left = len - base_of(&empty, &input).len();
    let request = NAMES.into_iter().fold(get(), |request, name| {
        let part = left.min(8000);
        left -= part;
        with_header(request, name, &"x".repeat(part))
    });
    signed_as_is(request, &input)
}

/// What a host would refuse as too large is not signed.
#[test]
fn the_limit_of_signing_is_the_same() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let sign = |key_id: &str| {
        let mut request = get();
        let options = sign_options().key_id(key_id);
        sign_request(&mut request, &secrets(), &options).map(|_| request)
    };
    let len = |request: TestRequest| request.headers()["signature-input"].len();
    let edge = 8192 - len(sign("").unwrap());
    for (key_id_len, is_signed) in [(edge, true), (edge + 1, false)] {
        let key_id = "k".repeat(key_id_len);
        let refusal = sign(&key_id).err();
        let is_too_large = matches!(refusal, Some(SignError::TooLarge));
        assert_eq!((refusal.is_none(), is_too_large), (is_signed, !is_signed));
        let call = json!({
            "operation": "sign", "now": NOW, "url": "https://host.example/orders?page=2",
            "options": { "keyId": key_id },
        });
        let answer = worker.call(call);
        assert_eq!(answer.get("ok").is_some(), is_signed, "{answer}");
        if !is_signed {
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains("more than 8 KiB"), "{message}");
        }
    }
}
