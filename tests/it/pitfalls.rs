//! A catalogue of ways in which this has gone wrong elsewhere, with the tests that hold here.
//!
//! A row names its tests by path, so that the catalogue does not compile without them. Each test
//! stands with its topic and fails if the defect is put into this crate. `cargo test pitfall_` runs
//! all of them.

use crate::{
    core::{
        authority, base, checks, coverage, debug, defaults, digest, errors,
        freshness::source,
        head, keyid, limits, mac, meaning, noise, proof,
        replay::guard,
        retry,
        secrets::{absence, change, name},
        vectors,
    },
    tower::{caches, received_uri, uniform, upgrade},
};

/// One defect that was found in a signature library or in the code around one.
struct Pitfall {
    number: usize,
    /// Where the defect was found.
    seen: &'static str,
    /// What went wrong there.
    wrong: &'static str,
    /// What this crate does instead.
    holds: &'static str,
    /// The path of each test, as text and as the function itself.
    tests: &'static [(&'static str, fn())],
}

macro_rules! tests {
    ($($test:path),+ $(,)?) => {
        &[$((stringify!($test), $test as fn())),+]
    };
}

const PITFALLS: &[Pitfall] = &[
    Pitfall {
        number: 1,
        seen: "common-fate/httpsig (Go)",
        wrong: "the MAC of the empty string was appended to the message: anybody could sign",
        holds: "answers of others are met (RFC 9421 B.2.5, curl), and a MAC is exactly 32 bytes",
        tests: tests![vectors::mac::pitfall_01_known_answers_of_others],
    },
    Pitfall {
        number: 2,
        seen: "httpsig-hyper before 0.0.23, CVE-2026-26275",
        wrong: "the check of the digest was always true",
        holds: "one changed byte of a body is refused, with each algorithm",
        tests: tests![digest::pitfall_02_one_changed_byte_of_the_body_is_refused],
    },
    Pitfall {
        number: 3,
        seen: "httpsig 0.0.26",
        wrong: "an absent covered field was read as empty; neither coverage nor age was checked",
        holds: "absence is an error; coverage and age are enforced",
        tests: tests![coverage::pitfall_03_absence_is_an_error_and_coverage_and_age_are_enforced],
    },
    Pitfall {
        number: 4,
        seen: "Gitlawb node #305",
        wrong: "a missing `Content-Digest` and repeated components were accepted",
        holds: "a body needs a covered digest, and a repeated component is malformed",
        tests: tests![digest::pitfall_04_a_body_needs_a_covered_digest_and_nothing_is_repeated],
    },
    Pitfall {
        number: 5,
        seen: "httpsig-rs before 2025-09",
        wrong: "MACs were compared with `==`",
        holds: "the only comparison of a MAC takes the same time for each guess",
        tests: tests![mac::pitfall_05_each_bit_of_a_mac_is_compared],
    },
    Pitfall {
        number: 6,
        seen: "svix, RUSTSEC-2024-0010",
        wrong: "MACs were compared up to the end of the shorter one: an empty MAC was right",
        holds: "a MAC of any other length is refused before it is compared",
        tests: tests![mac::pitfall_06_a_mac_of_any_other_length_is_refused],
    },
    Pitfall {
        number: 7,
        seen: "totp-rs, pay-rails, Adyen, anymail, linzer",
        wrong: "the time of a comparison showed how much of a guess was right",
        holds: "statistics show no difference between a guess and a better guess",
        tests: tests![mac::pitfall_07_time_does_not_tell_how_much_of_a_guess_is_right],
    },
    Pitfall {
        number: 8,
        seen: "ruby-jwt, CVE-2026-45363",
        wrong: "an unknown key became an empty key",
        holds: "a secret cannot be empty, and an unknown key id never falls back",
        tests: tests![keyid::pitfall_08_an_unknown_key_id_never_falls_back],
    },
    Pitfall {
        number: 9,
        seen: "New API, CVE-2026-41432",
        wrong: "a secret that was not set became an empty HMAC key",
        holds: "an unset variable and an empty file are errors",
        tests: tests![absence::pitfall_09_an_unset_variable_and_an_empty_file_are_errors],
    },
    Pitfall {
        number: 10,
        seen: "allstar, CVE-2025-61926",
        wrong: "a secret was part of the program",
        holds: "no store has a default secret, and generated secrets are new each time",
        tests: tests![absence::pitfall_10_there_is_no_default_secret],
    },
    Pitfall {
        number: 11,
        seen: "Symfony, CVE-2026-45754 and others",
        wrong: "a parser took the secret and never used it",
        holds: "a proof only comes out of a verification",
        tests: tests![proof::pitfall_11_a_proof_only_comes_out_of_a_verification],
    },
    Pitfall {
        number: 12,
        seen: "Symfony, CVE-2026-48747",
        wrong: "the request chose the algorithm",
        holds: "there is one algorithm, and `alg` is only compared with its name",
        tests: tests![keyid::pitfall_12_the_request_does_not_choose_the_algorithm],
    },
    Pitfall {
        number: 13,
        seen: "Authlib, PyJWT, jose2go",
        wrong: "a public key was used as an HMAC key",
        holds: "a text that looks like a public key is no secret",
        tests: tests![absence::pitfall_13_no_public_key_is_a_secret],
    },
    Pitfall {
        number: 14,
        seen: "django-ses, CVE-2023-33185",
        wrong: "the sender chose the key for the verification",
        holds: "a key id only selects from the list of the host",
        tests: tests![keyid::pitfall_14_a_key_id_only_selects_from_the_hosts_list],
    },
    Pitfall {
        number: 15,
        seen: "http-signature (npm), CVE-2017-16005",
        wrong: "the MAC did not cover the names of the fields",
        holds: "a covered field under another name is refused",
        tests: tests![base::pitfall_15_names_of_covered_fields_are_signed],
    },
    Pitfall {
        number: 16,
        seen: "Gitea, CVE-2026-58426",
        wrong: "fields ran into each other, so that two requests had one signature",
        holds: "two requests never have one signature base",
        tests: tests![base::pitfall_16_no_two_requests_have_one_signature_base],
    },
    Pitfall {
        number: 17,
        seen: "MinIO, CVE-2026-40344 and CVE-2025-31489",
        wrong: "one path skipped the check, and one fact came from two sources",
        holds: "every request takes one path, and each fact has one source",
        tests: tests![proof::pitfall_17_every_request_takes_the_one_path],
    },
    Pitfall {
        number: 18,
        seen: "Symfony, CVE-2026-45075",
        wrong: "`HEAD` was let through",
        holds: "every method is checked alike",
        tests: tests![proof::pitfall_18_every_method_is_checked_alike],
    },
    Pitfall {
        number: 19,
        seen: "Symfony, CVE-2026-45074",
        wrong: "the client decided for which service its request was",
        holds: "the host lists its authorities and refuses all others",
        tests: tests![authority::pitfall_19_a_request_for_another_service_is_refused],
    },
    Pitfall {
        number: 20,
        seen: "http4k, GHSA-c7jm-38gq-h67h",
        wrong: "the default check of the nonce said yes",
        holds: "a guard without options remembers, and a store that fails refuses",
        tests: tests![guard::pitfall_20_no_default_says_yes],
    },
    Pitfall {
        number: 21,
        seen: "nebula-mesh, GHSA-v2jf-442r-6mjh",
        wrong: "a full cache forgot nonces that were still good, and so did a restart",
        holds: "a full guard refuses, and a new guard refuses what is older than the guard",
        tests: tests![guard::pitfall_21_the_guard_forgets_nothing_that_is_fresh],
    },
    Pitfall {
        number: 22,
        seen: "hookaido, GHSA-cmwq-5829-xw24",
        wrong: "a nonce was stored before the MAC was checked, so that a forgery used it up",
        holds: "the guard is asked after the MAC and the digest",
        tests: tests![guard::pitfall_22_a_forgery_does_not_use_up_the_signature],
    },
    Pitfall {
        number: 23,
        seen: "Kong, Tyk, linear, OwnPay",
        wrong: "freshness came from a field that was not signed",
        holds: "`created` is signed, required, and the only source of freshness",
        tests: tests![source::pitfall_23_freshness_comes_from_the_signature_alone],
    },
    Pitfall {
        number: 24,
        seen: "open-bastion #188",
        wrong: "the nonce was not signed",
        holds: "the nonce is a parameter of the signature",
        tests: tests![guard::pitfall_24_the_nonce_is_signed],
    },
    Pitfall {
        number: 25,
        seen: "eliza, the-dmz, corsair, standardwebhooks 1.0.1",
        wrong: "`NaN` and the smallest integer were fresh, or caused a panic",
        holds: "times are integers, arithmetic saturates, and another type is malformed",
        tests: tests![source::pitfall_25_extreme_times_are_refused_without_overflow],
    },
    Pitfall {
        number: 26,
        seen: "monetr, CVE-2026-40481; Argo CD",
        wrong: "a body was read without limit, or input caused a panic, before authentication",
        holds: "the head is judged first, the body is limited, and nothing panics",
        tests: tests![
            noise::pitfall_26_nothing_panics_and_nothing_random_is_accepted,
            head::pitfall_26_the_head_is_judged_before_the_body_and_within_limits,
        ],
    },
    Pitfall {
        number: 27,
        seen: "slack-morphism, RUSTSEC-2022-0087; httpsig `SharedKey`",
        wrong: "`Debug` showed secrets",
        holds: "neither `Debug` nor an error shows a secret or a MAC",
        tests: tests![debug::pitfall_27_neither_secrets_nor_macs_are_shown],
    },
    Pitfall {
        number: 28,
        seen: "ruby-saml, CVE-2025-25291",
        wrong: "two parsers read one message in two ways",
        holds: "the signature base has the values that the handler sees",
        tests: tests![base::pitfall_28_what_is_signed_is_what_the_handler_sees],
    },
    Pitfall {
        number: 29,
        seen: "httpsig-go",
        wrong: "an inverted condition made a check unreachable",
        holds: "each check refuses a request that no other check refuses",
        tests: tests![
            checks::pitfall_29_each_check_of_the_candidates_refuses_alone,
            coverage::pitfall_29_each_check_of_the_coverage_refuses_alone,
            checks::pitfall_29_each_check_of_time_authority_and_content_refuses_alone,
            checks::pitfall_29_each_secret_of_the_set_counts_and_no_other,
        ],
    },
    Pitfall {
        number: 30,
        seen: "otoroshi",
        wrong: "a setting that was absent disabled a check",
        holds: "the defaults are strict, and a weaker check is spelled out at the call",
        tests: tests![defaults::pitfall_30_defaults_are_strict_and_weakening_is_spelled_out],
    },
    Pitfall {
        number: 31,
        seen: "swicg/activitypub-http-signature#23, jonbaldie/varnish#47",
        wrong: "a shared cache stored the answer to a signed request and gave it to anybody",
        holds: "answers of a protected service are private unless they say otherwise",
        tests: tests![caches::pitfall_31_no_shared_cache_may_store_what_does_not_say_so],
    },
    Pitfall {
        number: 32,
        seen: "MinIO and others",
        wrong: "work for each signature before any check: a refusal was dearer than an acceptance",
        holds: "one budget for a request before the first matching MAC, shared by its signatures",
        tests: tests![
            limits::pitfall_32_a_store_is_asked_once_for_a_name,
            limits::pitfall_32_single_parameters_of_the_query_are_shared_too,
        ],
    },
    Pitfall {
        number: 33,
        seen: "any server that looks at `Content-Length` first",
        wrong: "413 or 401 showed which key ids, authorities and times were right",
        holds: "nothing but the MAC decides between answers",
        tests: tests![uniform::pitfall_33_only_the_mac_decides_between_answers],
    },
    Pitfall {
        number: 34,
        seen: "name suffixes with a meaning, such as `.previous` and `_PREVIOUS`",
        wrong: "the previous secret of one consumer was the secret of another one",
        holds: "endings that have a meaning are no names of secrets",
        tests: tests![name::pitfall_34_reserved_endings_are_no_names],
    },
    #[cfg(unix)]
    Pitfall {
        number: 35,
        seen: "cert-manager/csi-driver#264, letsencrypt/boulder#1967",
        wrong: "a file that was replaced by one with an old time was never read again",
        holds: "the identity of a file has its ctime, its inode and its device",
        tests: tests![change::pitfall_35_a_replaced_file_with_an_old_time_is_noticed],
    },
    Pitfall {
        number: 36,
        seen: "golang/go#31808, AsyncHttpClient#2339",
        wrong: "the password of a URL stood in errors and logs",
        holds: "user information appears nowhere",
        tests: tests![errors::remedy::pitfall_36_user_information_appears_nowhere],
    },
    Pitfall {
        number: 37,
        seen: "decompression behind an authenticating layer",
        wrong: "an added Content-Encoding changed what the handler saw",
        holds: "what says how to read the body is covered",
        tests: tests![meaning::pitfall_37_what_says_how_to_read_the_body_is_covered],
    },
    Pitfall {
        number: 38,
        seen: "servers that upgrade a connection behind an authenticating layer",
        wrong: "an `Upgrade` was added to a signed request: a stranger wrote to the connection",
        holds: "an upgrade that is not covered does not reach the service",
        tests: tests![upgrade::pitfall_38_an_upgrade_that_is_not_signed_does_not_reach_the_service],
    },
    Pitfall {
        number: 39,
        seen: "routers that cut the path: axum `nest`, express `use`",
        wrong: "a request that was signed for `/orders` was good at `/admin/orders`",
        holds: "a difference of the URI that nobody explains is refused",
        tests: tests![received_uri::pitfall_39_a_difference_that_nobody_explains_is_refused],
    },
    Pitfall {
        number: 40,
        seen: "aws-lite#217, lockbook#3276",
        wrong: "a retry signed the signed request, or was told to",
        holds: "a retry replaces its own signature, and only that",
        tests: tests![retry::pitfall_40_a_retry_replaces_its_own_signature_and_is_no_replay],
    },
];

/// The greatest number of the catalogue. A number is left out until its test is here.
const ROWS: usize = 40;

#[test]
fn each_number_stands_once_and_has_tests_of_that_number() {
    let numbers: Vec<usize> = PITFALLS.iter().map(|pitfall| pitfall.number).collect();
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>());
    for pitfall in PITFALLS {
        let number = pitfall.number;
        assert!(!pitfall.tests.is_empty(), "{number} has no test");
        for (name, _) in pitfall.tests {
            assert!(
                name.contains(&format!("::pitfall_{number:02}_")),
                "{name} is no test of {number}"
            );
        }
        for text in [pitfall.seen, pitfall.wrong, pitfall.holds] {
            assert!(!text.is_empty(), "{number} is not described");
        }
    }
}
