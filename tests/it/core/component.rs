//! Component identifiers: which name the same component, and how they are written.

use hmac_auth::signature::Component;

fn component(text: &str) -> Component<'_> {
    Component::parse(text).unwrap()
}

/// RFC 9421 section 2: the order of the parameters does not matter. Of parameters that this crate
/// does not implement, only the same text is known to mean the same.
#[test]
fn two_identifiers_name_the_same_component_or_do_not() {
    let groups = [
        &[r#""a""#][..],
        &[r#""b""#],
        &[r#""a";bs"#, r#""a"; bs"#],
        &[r#""a";req"#],
        &[r#""a";bs;req"#, r#""a";req;bs"#],
        &[r#""b";bs;req"#],
        &[r#""a";sf"#],
        &[r#""a";key="x""#],
        &[r#""a";key="y""#],
        &[r#""a";sf;bs"#],
        &[r#""a";bs;sf"#],
        &[r#""@query-param""#],
        &[r#""@query-param";name="x""#],
        &[r#""@query-param";name="y""#],
        &[
            r#""@query-param";name="x";req"#,
            r#""@query-param";req;name="x""#,
        ],
    ];
    for (index, group) in groups.iter().enumerate() {
        for (other_index, other_group) in groups.iter().enumerate() {
            for (one, other) in group
                .iter()
                .flat_map(|one| other_group.iter().map(move |other| (one, other)))
            {
                let is_same = component(one) == component(other);
                assert_eq!(is_same, index == other_index, "{one} and {other}");
            }
        }
    }
}

#[test]
fn identifiers_are_written_as_they_are_signed() {
    for (text, written) in [
        (r#""a""#, r#""a""#),
        (r#""a"; bs;req=?1"#, r#""a";bs;req"#),
        (r#""@query-param";name="x""#, r#""@query-param";name="x""#),
        (r#""a";b=?0;c=:YQ==:;d=1.50"#, r#""a";b=?0;c=:YQ==:;d=1.5"#),
    ] {
        let component = component(text);
        assert_eq!(component.to_string(), written);
        assert_eq!(format!("{component:?}"), format!("Component({written})"));
    }
}
