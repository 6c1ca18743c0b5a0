//! Strategies that generate structured fields, well-formed and malformed.

use proptest::{
    collection::{SizeRange, vec},
    option,
    prelude::*,
    sample::{Index, select, subsequence},
    string::{RegexGeneratorStrategy, string_regex},
};

use crate::support::field::{Field, SHA_256, SHA_512};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// All that the wire profile allows, in all its spellings.
    Legal,
    /// Much of what it does not, here and there.
    Odd,
}

pub(crate) fn inputs(style: Style) -> impl Strategy<Value = Field> {
    let value = (components(style), parameters(style))
        .prop_map(|(components, parameters)| components + &parameters);
    members(style, value)
}

pub(crate) fn byte_sequences(style: Style) -> impl Strategy<Value = Field> {
    let value = (or_odd(style, text(BASE64), ODD_ITEMS), parameters(style))
        .prop_map(|(value, parameters)| value + &parameters);
    members(style, value)
}

/// With at least one of the supported algorithms, not always right.
pub(crate) fn digests() -> impl Strategy<Value = Field> {
    let digest = |name: &'static str, right: &'static str| {
        let wrong = right.replacen(&right[..1], "a", 1);
        prop_oneof![4 => Just(right.to_owned()), 1 => Just(wrong)]
            .prop_map(move |base64| format!("{name}=:{base64}:"))
    };
    let supported = vec![
        digest("sha-256", SHA_256).boxed(),
        digest("sha-512", SHA_512).boxed(),
    ];
    let supported = subsequence(supported, 1..=2).prop_flat_map(|digests| digests);
    let other = (
        select(vec!["md5", "sha", "unixsum"]),
        text(BASE64),
        parameters(Style::Legal),
    );
    (
        supported,
        option::of(other),
        any::<bool>(),
        separator(Style::Legal),
    )
        .prop_map(|(mut members, other, first, separator)| {
            if let Some((name, value, parameters)) = other {
                members.insert(
                    if first { 0 } else { members.len() },
                    format!("{name}={value}{parameters}"),
                );
            }
            Field(members.join(&separator).into_bytes())
        })
}

/// A dictionary in one or more lines.
pub(crate) fn members(
    style: Style,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = Field> {
    let label = or_odd(style, text("[a-z*][a-z0-9_.*-]{0,6}"), "a|b|A|1|_|-a|");
    let start = or_odd(style, text(" {0,2}"), "\t|,|a,|;");
    let end = or_odd(style, text("[ \t]{0,2}"), ",|;|,a|\n|=|x");
    (start, vec((label, value, separator(style)), 1..=3), end).prop_map(
        move |(mut text, members, end)| {
            let mut seen = vec![];
            for (label, value, separator) in members {
                if style == Style::Legal && seen.contains(&label) {
                    continue;
                }
                if !seen.is_empty() {
                    text += &separator;
                }
                text.extend([&*label, "=", &value]);
                seen.push(label);
            }
            Field((text + &end).into_bytes())
        },
    )
}

pub(crate) fn separator(style: Style) -> impl Strategy<Value = String> {
    let legal = prop_oneof![3 => text("[ \t]{0,2},[ \t]{0,2}"), 1 => text("[ \t]{0,1}\n {0,1}")];
    or_odd(style, legal, "| |,,|;|\n\n|\n\t|,\n|\n,")
}

/// Distinct components of the message, each in all its spellings.
pub(crate) const COMPONENTS: [&[&str]; 12] = [
    &[r#""@method""#],
    &[r#""@authority""#],
    &[r#""@path""#],
    &[r#""@query""#],
    &[r#""@target-uri""#],
    &[r#""@scheme""#],
    &[r#""@request-target""#],
    &[
        r#""@query-param";name="Pet""#,
        r#""@query-param";  name="Pet""#,
    ],
    &[r#""@query-param";name="q""#, r#""@query-param"; name="q""#],
    &[r#""x-a""#],
    &[
        r#""x-a";bs"#,
        r#""x-a";bs=?1"#,
        r#""x-a"; bs"#,
        r#""x-a";  bs=?1"#,
    ],
    &[r#""x-b""#],
];

pub(crate) const ODD_COMPONENTS: &str = concat!(
    r#""x-a"|x-a|1|:YQ==:|?1|()|""|"X-A"|"x-absent"|"x-a";bs=?0|"x-a";bs;bs|"x-a";foo=-0|"x-a";foo=01.50|"#,
    r#""x-a";key="\a"|"x-a";Bs"#
);

pub(crate) fn components(style: Style) -> impl Strategy<Value = String> {
    let all = COMPONENTS.len();
    let chosen = subsequence(COMPONENTS.to_vec(), 0..=all).prop_shuffle();
    let spelling = prop_oneof![9 => Just(0), 1 => 1..4_usize];
    let gap = or_odd(style, unusually(" ", " {2,3}"), "|\t| \t");
    let odd = vec(
        (
            any::<Index>(),
            or_odd(style, Just(String::new()), ODD_COMPONENTS),
        ),
        0..=4,
    );
    let edge = || unusually("", " {1,2}");
    (
        edge(),
        chosen,
        vec(spelling, all),
        odd,
        vec(gap, all + 4),
        edge(),
    )
        .prop_map(|(start, chosen, spellings, odd, gaps, end)| {
            let mut items: Vec<_> = chosen
                .iter()
                .zip(spellings)
                .map(|(one, index)| one[index.min(one.len() - 1)])
                .collect();
            for (at, item) in odd.iter().filter(|(_, item)| !item.is_empty()) {
                items.insert(at.index(items.len() + 1), item);
            }
            let mut text = format!("({start}");
            for (index, (item, gap)) in items.iter().zip(gaps).enumerate() {
                text += if index > 0 { &gap } else { "" };
                text += item;
            }
            text + &end + ")"
        })
}

pub(crate) const INTEGER: &str = "-?[1-9][0-9]{0,14}|0";

pub(crate) const PADDED_INTEGER: &str = "-?0{1,3}[0-9]{0,12}";

pub(crate) const DECIMAL: &str =
    "-?[1-9][0-9]{0,11}\\.([0-9]{0,2}[1-9]|0)|-?0\\.[0-9]{0,2}[1-9]|0\\.0";

pub(crate) const PADDED_DECIMAL: &str = "-?0{0,2}[0-9]{1,10}\\.[0-9]{0,2}0|-?0{1,12}\\.[0-9]{1,3}";

pub(crate) const STRING: &str = r#""([ !#-\[\]-~]|\\["\\]){0,8}""#;

pub(crate) const TOKEN: &str = "[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]{0,6}";

/// Canonical: padded, and no bits beyond the last byte.
pub(crate) const BASE64: &str = ":([A-Za-z0-9+/]{4}){0,3}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?:";

pub(crate) const ODD_ITEMS: &str = "1000000000000000|-1000000000000000|0000000000000001|1234567890123.0|0000000000001.0|1.|1.2345|1.0000|\
    .5|+1|--1|-|-.5|1e3|0x1|1 |\"\\a\"|\"|\"\u{e9}\"|\"\t\"|?2|?|?10|:YQ:|:YQ=:|:YR==:|:YWJ=:|:Y===:|:YQ===:|:YQ==|:Y Q==:|:-_8=:|@1|\
    %\"a\"|()|";

pub(crate) fn parameters(style: Style) -> impl Strategy<Value = String> {
    // None of the names below, which want a type.
    let key = or_odd(
        style,
        text("[a-z*]|[a-z*][a-z0-9_.*-]{0,4}[0-9_.*-]"),
        "a|b|A|1|_|-a||tag",
    );
    let integer = || unusually(INTEGER, PADDED_INTEGER);
    let (decimal, boolean) = (
        unusually(DECIMAL, PADDED_DECIMAL),
        unusually("\\?0", "\\?1"),
    );
    let item = or_odd(
        style,
        prop_oneof![
            integer(),
            decimal,
            boolean,
            text(STRING),
            text(TOKEN),
            text(BASE64)
        ],
        ODD_ITEMS,
    );
    let times = select(vec!["created", "expires"]).prop_map(str::to_owned);
    let texts = select(vec!["nonce", "alg", "keyid", "tag"]).prop_map(str::to_owned);
    let parameter = prop_oneof![
        4 => (key, option::of(item)),
        1 => (times, or_odd(style, integer(), ODD_ITEMS).prop_map(Some)),
        2 => (texts, or_odd(style, text(STRING), ODD_ITEMS).prop_map(Some)),
    ];
    vec((unusually("", " {1,2}"), parameter), 0..=4).prop_map(move |parameters| {
        let mut seen = vec![];
        let mut text = String::new();
        for (spaces, (key, value)) in parameters {
            if style == Style::Legal && seen.contains(&key) {
                continue;
            }
            text.extend([";", &*spaces, &*key]);
            if let Some(value) = value {
                text.extend(["=", &*value]);
            }
            seen.push(key);
        }
        text
    })
}

/// A text that the regular expression describes.
pub(crate) fn text(regex: &str) -> RegexGeneratorStrategy<String> {
    string_regex(regex).expect("a regular expression")
}

/// Of two spellings, mostly the canonical one: a mistake in one place must not hide behind another
/// place that has to be rewritten anyway.
pub(crate) fn unusually(canonical: &'static str, other: &'static str) -> BoxedStrategy<String> {
    prop_oneof![9 => text(canonical), 1 => text(other)].boxed()
}

/// Now and then one of the odd texts, which have `|` between them, if that is the style.
pub(crate) fn or_odd(
    style: Style,
    legal: impl Strategy<Value = String> + 'static,
    odd: &'static str,
) -> BoxedStrategy<String> {
    let odd: Vec<_> = odd.split('|').map(str::to_owned).collect();
    match style {
        Style::Legal => legal.boxed(),
        Style::Odd => prop_oneof![40 => legal, 1 => select(odd)].boxed(),
    }
}

/// Deletes, inserts or replaces bytes.
pub(crate) fn mutated(
    fields: impl Strategy<Value = Field>,
    times: impl Into<SizeRange>,
) -> impl Strategy<Value = Field> {
    const BYTES: &[u8] = b" \t\n,;=()\"\\:?-.*_@%+/019azAZ\xe9";
    let mutation = (
        0..3,
        any::<Index>(),
        prop_oneof![4 => select(BYTES), 1 => b' '..=b'~'],
    );
    (fields, vec(mutation, times)).prop_map(|(Field(mut bytes), mutations)| {
        for (kind, at, byte) in mutations {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                _ if at == bytes.len() => {}
                1 => bytes[at] = byte,
                _ => _ = bytes.remove(at),
            }
        }
        Field(bytes)
    })
}
