//! The program under the same attacks as all hosts.

#[test]
fn only_valid_requests_get_through() {
    check::attacks(&check::Host::start(env!("CARGO_BIN_EXE_recipe-poem")));
}
