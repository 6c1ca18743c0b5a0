//! MACs: all bits are compared, only 32 bytes are compared, and the time shows nothing.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind as Kind, Claim, Mac, ReplayId, Secret, SecretSet, Validated, VerifiedHead,
    signature::SignatureBase,
};

use crate::support::{
    implements::implements,
    request::{INPUT, base_of, get, options, refusal, secret, signed, validate, with_signature},
};

/// MACs were compared with `==`, which takes longer the more bytes are right.
///
/// No type that holds a MAC can be compared with `==`, and a comparison looks at every bit.
#[test]
pub(crate) fn pitfall_05_each_bit_of_a_mac_is_compared() {
    for (question, answer) in [
        implements!(Mac: PartialEq),
        implements!(Secret: PartialEq),
        implements!(SecretSet: PartialEq),
        implements!(ReplayId: PartialEq),
        implements!(Validated: PartialEq),
        implements!(VerifiedHead: PartialEq),
    ] {
        assert!(!answer, "{question}");
    }
    assert!(
        implements!(SignatureBase: PartialEq).1,
        "the question itself does not work"
    );

    assert_eq!(format!("{:?}", secret().mac(b"")), "Mac(..)");

    // The comparison looks at all of it.
    let request = signed(get());
    let signature = request.headers()["signature"].to_str().unwrap();
    let mac = STANDARD
        .decode(
            signature
                .strip_prefix("sig1=:")
                .unwrap()
                .strip_suffix(':')
                .unwrap(),
        )
        .unwrap();
    let input = request.headers()["signature-input"]
        .to_str()
        .unwrap()
        .strip_prefix("sig1=")
        .unwrap();
    for bit in 0..256 {
        let mut other = mac.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            refusal(&with_signature(get(), "sig1", input, &other)),
            Kind::WrongMac,
            "bit {bit}"
        );
    }
}

/// MACs were compared up to the end of the shorter one, so that an empty one was right.
#[test]
pub(crate) fn pitfall_06_a_mac_of_any_other_length_is_refused() {
    let mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    for len in 0..32 {
        assert_eq!(
            refusal(&with_signature(get(), "sig1", INPUT, &mac[..len])),
            Kind::MalformedSignature,
            "{len}"
        );
        assert_eq!(
            refusal(&with_signature(get(), "sig1", INPUT, &mac[32 - len..])),
            Kind::MalformedSignature,
            "{len}"
        );
    }
    for more in 1..=64 {
        let longer = [&mac[..], &vec![0; more]].concat();
        assert_eq!(
            refusal(&with_signature(get(), "sig1", INPUT, &longer)),
            Kind::MalformedSignature,
            "{more}"
        );
    }
    assert_eq!(
        refusal(&with_signature(get(), "sig1", INPUT, &[mac, mac].concat())),
        Kind::MalformedSignature
    );
    validate(&with_signature(get(), "sig1", INPUT, &mac)).unwrap();
}

/// The time of a comparison told how much of a guess was right.
///
/// Measures `verify_head`, which computes the MAC and compares it, with guesses that are wrong from
/// the first byte on and with guesses that are wrong in the last byte only.
///
/// An early exit in a loop over the bytes makes a difference of some hundred nanoseconds in a debug
/// build and of some nanoseconds in a release build, a few percent of the whole in both; from about
/// one percent on it is seen. A comparison in one or two steps, as `==` on arrays does it, is not
/// seen.
#[test]
pub(crate) fn pitfall_07_time_does_not_tell_how_much_of_a_guess_is_right() {
    // One difference may be an accident of a busy machine, and one that is missed as well: the
    // first to be sure decides.
    let (mut seen, mut missed) = (Vec::new(), 0);
    while seen.len() < 3 && missed < 2 {
        match significant_difference() {
            Some(share) => seen.push(share),
            None => missed += 1,
        }
    }
    assert!(
        missed == 2,
        "a guess that is right up to its last byte takes longer, by these shares: {seen:?}"
    );
}

/// By which share a guess that is wrong at its end takes longer, if that can be told.
fn significant_difference() -> Option<f64> {
    const ROUNDS: usize = 151;

    let set = SecretSet::new(secret());
    let options = options();
    let mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    let guess = |index: usize| {
        let mut guess = mac;
        guess[index] ^= 0x01;
        with_signature(get(), "sig1", INPUT, &guess)
    };
    let mut shares = Vec::new();
    for round in 0..ROUNDS {
        // New allocations in another order for each round, so that no place in memory favours one
        // side.
        let first_is_early = round % 2 == 0;
        let requests = if first_is_early {
            [guess(0), guess(31)]
        } else {
            [guess(31), guess(0)]
        };
        let claims =
            [&requests[0], &requests[1]].map(|request| Claim::parse(request, &options).unwrap());
        let mut best = [Duration::MAX; 2];
        for _ in 0..48 {
            for (claim, best) in claims.iter().zip(&mut best) {
                let start = Instant::now();
                for _ in 0..4 {
                    assert!(std::hint::black_box(claim).verify_head(&set).is_err());
                }
                *best = start.elapsed().min(*best);
            }
        }
        let [early, late] = if first_is_early {
            best
        } else {
            [best[1], best[0]]
        };
        shares.push((late.as_secs_f64() - early.as_secs_f64()) / early.as_secs_f64());
    }
    shares.sort_by(f64::total_cmp);
    let median = shares[ROUNDS / 2];
    let slower = shares.iter().filter(|share| **share > 0.0).count();
    // Of 151 coins, 107 fall on one side once in three million times.
    (slower >= 107 && median > 0.003).then_some(median)
}
