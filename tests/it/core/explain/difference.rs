//! The first line that differs.

use hmac_auth::{
    ValidateOptions,
    explain::{Difference, explain},
};

use crate::support::request::{INPUT, NOW, base_of, get, secrets, signed_as, time};

fn difference(theirs: impl Fn(&str) -> String) -> Option<Difference> {
    let request = signed_as(get(), INPUT);
    let base = base_of(&request, INPUT);
    let options = ValidateOptions::new().at(time(NOW));
    let compared = explain(&request, &secrets(), &options).compare(&theirs(&base));
    assert!(compared.is_accepted());
    compared.difference()
}

#[test]
fn the_same_base_has_none() {
    assert_eq!(difference(str::to_owned), None);
    // As an editor or `echo` writes a file.
    assert_eq!(difference(|base| format!("{base}\n")), None);
}

#[test]
fn it_has_a_line_and_a_byte() {
    let found = difference(|base| base.replace("/orders", "/Orders")).unwrap();
    assert_eq!((found.line(), found.column()), (3, 11));
    assert_eq!(found.ours(), Some("\"@path\": /orders"));
    assert_eq!(found.theirs(), Some("\"@path\": /Orders"));
    assert_eq!(
        found.to_string(),
        "the bases differ in line 3, from byte 11 on:\n  \
         here  \"@path\": /orders\n  \
         peer  \"@path\": /Orders"
    );
    assert_eq!(
        format!("{found:?}"),
        r#"Difference { line: 3, ours: Some("\"@path\": /orders"), theirs: Some("\"@path\": /Orders") }"#
    );
}

#[test]
fn a_line_too_many_or_too_few_is_one() {
    let found = difference(|base| format!("{base}\n\"x-site\": a")).unwrap();
    assert_eq!((found.line(), found.ours()), (6, None));
    let found = difference(|base| base.rsplit_once('\n').unwrap().0.to_owned()).unwrap();
    assert_eq!((found.line(), found.theirs()), (5, None));
    let found = difference(|_| String::new()).unwrap();
    assert_eq!((found.line(), found.theirs()), (1, Some("<0 bytes>")));
    assert!(found.to_string().contains("peer  <0 bytes>"), "{found}");
}
