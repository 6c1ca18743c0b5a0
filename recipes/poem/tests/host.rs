//! The program under the same attacks as all hosts.

#[test]
fn only_valid_requests_get_through() {
    let host = check::Host::start(env!("CARGO_BIN_EXE_recipe-poem"));
    check::attacks(&host);
    check::keeps_dots(&host);
}
