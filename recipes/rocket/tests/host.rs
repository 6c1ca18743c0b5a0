//! The program under the same attacks as all hosts, but for unknown paths.

#[test]
fn only_valid_requests_get_through() {
    let host = check::Host::start(env!("CARGO_BIN_EXE_recipe-rocket"));
    check::attacks_on_routes(&host);
    check::attack_with_body(&host);
    check::keeps_dots(&host);
}
