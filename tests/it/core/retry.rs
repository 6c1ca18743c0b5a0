//! Signing a request again, after an answer that did not come.

use hmac_auth::{
    AuthErrorKind as Kind, MemoryReplayGuard, SignError, SignOptions, sign_request,
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};

use crate::support::request::{
    NOW, TestRequest, get, options, post, secrets, sign_options, signed_with, time, with_header,
};

fn lines(request: &TestRequest) -> Vec<String> {
    [SIGNATURE_INPUT, SIGNATURE]
        .iter()
        .flat_map(|name| request.headers().get_all(name))
        .map(|line| line.to_str().expect("ASCII").to_owned())
        .collect()
}

fn error(mut request: TestRequest, options: &SignOptions) -> SignError {
    let before = request.clone();
    let error = sign_request(&mut request, &secrets(), options).expect_err("refused");
    assert_eq!(
        request.headers(),
        before.headers(),
        "the request is unchanged"
    );
    error
}

/// The host has used the first signature, and its answer was lost.
#[test]
pub(crate) fn pitfall_40_a_retry_replaces_its_own_signature_and_is_no_replay() {
    let ours = sign_options().key_id("site-a");
    for request in [get(), post()] {
        let first = signed_with(request, &ours);
        let again = signed_with(first.clone(), &ours);
        assert_eq!(lines(&again).len(), 2, "{:?}", lines(&again));
        assert_ne!(lines(&again), lines(&first));
        let guard = MemoryReplayGuard::new().started_at(time(NOW));
        for (request, expected) in [
            (&first, None),
            (&first, Some(Kind::Replayed)),
            (&again, None),
            (&again, Some(Kind::Replayed)),
        ] {
            let used = validate_auth(request, &secrets(), &options())
                .and_then(|validated| guard.first_use(validated));
            assert_eq!(used.err().map(|error| error.kind()), expected);
        }
    }
}

/// Our signature in a line with others, between them, and in a line of its own.
#[test]
fn signatures_of_others_stay() {
    let ours = sign_options().key_id("site-a");
    let signed = signed_with(get(), &ours);
    let value = |name: &str| signed.headers()[name].to_str().expect("ASCII").to_owned();
    for (before, after, kept) in [
        (vec!["a"], vec![], vec!["a"]),
        (vec![], vec!["b"], vec!["b"]),
        (vec!["a", "b"], vec!["c", "d"], vec!["a", "b", "c", "d"]),
    ] {
        let mut request = get();
        for (name, other) in [
            ("signature-input", "=(\"x-a\"  );at=@1;alg=\"ed25519\""),
            ("signature", "=:YQ==:"),
        ] {
            let member = |label: &&str| format!("{label}{other}");
            let own = [value(name)];
            let members: Vec<_> = before
                .iter()
                .map(member)
                .chain(own)
                .chain(after.iter().map(member))
                .collect();
            request = with_header(request, name, &members.join(" , "));
            request = with_header(request, name, &format!("last{other}"));
        }
        let again = signed_with(request, &ours);
        assert!(validate_auth(&again, &secrets(), &options()).is_ok());
        let kept_of = |other: &str| {
            let members: Vec<_> = kept.iter().map(|label| format!("{label}{other}")).collect();
            members.join(", ")
        };
        let found = lines(&again);
        assert_eq!(found[0], kept_of("=(\"x-a\"  );at=@1;alg=\"ed25519\""));
        assert_eq!(found[1], "last=(\"x-a\"  );at=@1;alg=\"ed25519\"");
        assert!(found[2].starts_with("sig1=(") && found[2] != value("signature-input"));
        assert_eq!(found[3], kept_of("=:YQ==:"));
        assert_eq!(found[4], "last=:YQ==:");
        assert!(found[5].starts_with("sig1=:") && found[5] != value("signature"));
        assert_eq!(found.len(), 6);
    }
}

/// Whose signature it is, only label and key id together say.
#[test]
fn no_other_signature_is_replaced() {
    let by = |key_id: &str| sign_options().key_id(key_id);
    for (first, again) in [
        (by("site-a"), by("site-b")),
        (by("site-a"), sign_options()),
        (sign_options(), by("site-a")),
        (sign_options(), sign_options()),
    ] {
        let error = error(signed_with(get(), &first), &again);
        assert!(matches!(error, SignError::LabelTaken { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("remove") && text.contains("Signature"),
            "{text}"
        );
    }
    // Nor one that this crate cannot read: a component twice.
    let input = "sig1=(\"@path\" \"@path\");keyid=\"site-a\"";
    let error = error(with_header(get(), "signature-input", input), &by("site-a"));
    assert!(matches!(error, SignError::LabelTaken { .. }), "{error:?}");
    // Another label is another signature.
    let first = signed_with(get(), &by("site-a"));
    let both = signed_with(first, &by("site-a").label("sig2"));
    assert_eq!(lines(&both).len(), 4);
}
