//! The program as a consumer of a real host.

const PROGRAM: &str = env!("CARGO_BIN_EXE_recipe-ureq");

#[test]
fn a_request_is_accepted() {
    let (output, answered) = check::consumer(PROGRAM, &[200]);
    assert_eq!((answered, output.stdout), (vec![200], b"ok\n".to_vec()));
}

/// A signature is for one URL.
#[test]
fn neither_redirects_nor_failures_make_it_send_more() {
    for status in [&[307], &[503]] {
        let (output, answered) = check::consumer(PROGRAM, status);
        assert_eq!(answered, status);
        assert!(!output.status.success());
    }
}
