//! The program as a consumer of a real host, which is busy at first.

const PROGRAM: &str = env!("CARGO_BIN_EXE_recipe-reqwest-middleware");

/// The guard of the host would refuse the same signature.
#[test]
fn each_try_is_signed_anew() {
    let (output, answered) = check::consumer(PROGRAM, &[503, 503, 200]);
    assert_eq!((answered, output.stdout), (vec![503, 503, 200], b"ok\n".to_vec()));
}

#[test]
fn a_redirect_is_not_followed() {
    let (output, answered) = check::consumer(PROGRAM, &[307]);
    assert_eq!(answered, [307]);
    assert!(!output.status.success());
}
