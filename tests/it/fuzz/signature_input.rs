//! `Signature-Input`: the strict parser of this crate against the crate `sfv`.
//!
//! Both must read the same, or this crate must have a known reason to refuse.

use std::{cell::RefCell, sync::LazyLock};

use hmac_auth::signature::{
    RequestHead, SIGNATURE_INPUT, SignatureBase, SignatureInput, SignatureInputs, SyntaxError,
};
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use sfv::{BareItem, FieldType, InnerList, ListEntry, Parameters};

use super::field;

/// A member that shows whether the reader has come to the end of the field.
const LAST: &[u8] = b"last.=()";

/// What the comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A member at least, or the whole field.
    Refused,
    /// How many members were compared down to the last line of the base.
    Accepted {
        /// Received as they are signed.
        canonical: u32,
        /// Received in another spelling.
        rewritten: u32,
        /// Not compared so far, as they cover what the message does not have.
        unresolved: u32,
    },
}

/// Compares what both read.
pub fn run(data: &[u8]) {
    compare(data);
}

/// Reads the field as a `Signature-Input` on both sides.
///
/// # Panics
///
/// If there is a difference that is not known.
pub fn compare(data: &[u8]) -> Verdict {
    thread_local! {
        static HEADERS: RefCell<HeaderMap> = RefCell::new(headers());
    }
    HEADERS.with_borrow_mut(|headers| {
        headers.remove(SIGNATURE_INPUT);
        if !field::append(headers, &SIGNATURE_INPUT, data) {
            return Verdict::Refused;
        }
        let ours: Result<Vec<_>, _> = SignatureInputs::new(headers).collect();
        match (ours, field::dictionary(data)) {
            (Ok(ours), Ok(theirs)) => {
                assert!(field::len(data) <= field::MAX_LEN, "more than 8 KiB");
                compare_all(data, headers, &ours, &theirs)
            }
            (Ok(_), Err(error)) => panic!("only this crate accepts: {error}"),
            (Err(_), theirs) => {
                let is_read = field::append(headers, &SIGNATURE_INPUT, LAST);
                assert!(is_read);
                compare_some(data, headers, theirs.ok());
                Verdict::Refused
            }
        }
    })
}

/// Compares the members, all of which this crate accepts.
fn compare_all(
    data: &[u8],
    headers: &HeaderMap,
    ours: &[SignatureInput<'_>],
    theirs: &sfv::Dictionary,
) -> Verdict {
    let labels = ours.iter().map(SignatureInput::label);
    assert!(
        labels.eq(theirs.keys().map(|key| key.as_str())),
        "other labels"
    );
    assert!(ours.len() <= field::MAX_KEYS, "too many labels");
    let (mut canonical, mut rewritten, mut unresolved) = (0, 0, 0);
    for (input, entry) in ours.iter().zip(theirs.values()) {
        let signed = compare_member(input, entry);
        match last_line(headers, input) {
            None => unresolved += 1,
            Some(line) => {
                assert_eq!(line, signed, "what is signed");
                let received = format!("{}={signed}", input.label());
                let mut windows = data.windows(received.len());
                *if windows.any(|window| window == received.as_bytes()) {
                    &mut canonical
                } else {
                    &mut rewritten
                } += 1;
            }
        }
    }
    Verdict::Accepted {
        canonical,
        rewritten,
        unresolved,
    }
}

/// Compares a field of which this crate refuses something. The last member is one that nothing is
/// wrong with.
fn compare_some(data: &[u8], headers: &HeaderMap, theirs: Option<sfv::Dictionary>) {
    let ours: Vec<_> = SignatureInputs::new(headers).collect();
    let last = ours.last().expect("an error at least");
    let is_at_end = last.as_ref().is_ok_and(|input| input.label() == "last.");
    let Some(theirs) = theirs else {
        assert!(!is_at_end, "read over what is no structured field");
        return;
    };
    if !is_at_end {
        let error = last.as_ref().expect_err("the last one").to_string();
        assert!(
            field::may_be_refused(data, &theirs)
                // The last member is one key more, or has the label of another one.
                || theirs.len() == field::MAX_KEYS
                || theirs.keys().any(|key| key.as_str() == "last."),
            "only this crate refuses the field: {error}"
        );
        return;
    }
    assert_eq!(ours.len(), theirs.len() + 1, "members");
    let repeats = field::repetitions(data).parameter;
    for ((ours, (label, entry)), repeats) in ours.iter().zip(&theirs).zip(repeats) {
        match ours {
            Ok(input) => {
                assert_eq!(input.label(), label.as_str());
                compare_member(input, entry);
            }
            Err(error) => assert!(
                repeats || may_be_read_over(entry, error),
                "only this crate refuses the member `{label}`: {error}"
            ),
        }
    }
}

/// Whether this crate may refuse a member that `sfv` reads so. These are all known differences:
///
/// - it is no list, or one with another item than a string;
/// - there are more than 32 components, or one of them twice;
/// - a parameter of RFC 9421 has another type than it says;
/// - there are more than 16 parameters, for a component or those that RFC 9421 does not define;
/// - base64 is not canonical. `sfv` does not say so, but the error does.
///
/// A parameter that stands there twice is one more, which `sfv` does not keep.
fn may_be_read_over(entry: &ListEntry, error: &SyntaxError) -> bool {
    let ListEntry::InnerList(list) = entry else {
        return true;
    };
    let is_about_base64 = error
        .to_string()
        .ends_with("base64 must be padded and canonical");
    is_beyond_profile(list) || is_about_base64
}

/// Whether the list is one that this crate must refuse.
fn is_beyond_profile(list: &InnerList) -> bool {
    let has_other_type = |(key, value): (&sfv::Key, &BareItem)| match key.as_str() {
        "created" | "expires" => value.as_integer().is_none(),
        "nonce" | "alg" | "keyid" | "tag" => value.as_string().is_none(),
        _ => false,
    };
    let unknown = list.params.keys().filter(|key| !is_known(key.as_str()));
    let items = &list.items;
    let same = |one: &sfv::Item, other: &sfv::Item| {
        one.bare_item == other.bare_item && is_same(&one.params, &other.params)
    };
    list.params.iter().any(has_other_type)
        || unknown.count() > field::MAX_KEYS
        || items.len() > 32
        || items
            .iter()
            .any(|item| item.bare_item.as_string().is_none() || item.params.len() > field::MAX_KEYS)
        || (1..items.len()).any(|at| items[..at].iter().any(|item| same(item, &items[at])))
}

fn is_known(parameter: &str) -> bool {
    matches!(
        parameter,
        "created" | "expires" | "nonce" | "alg" | "keyid" | "tag"
    )
}

/// Whether two components have the same parameters. Their order counts if one of them is not
/// supported: such a component has no value anyway.
fn is_same(one: &Parameters, other: &Parameters) -> bool {
    let supported = |(key, value): (&sfv::Key, &BareItem)| match key.as_str() {
        "bs" | "req" => value.as_boolean() == Some(true),
        "name" => value.as_string().is_some(),
        _ => false,
    };
    if one.iter().all(supported) && other.iter().all(supported) {
        one.len() == other.len() && one.iter().all(|(key, value)| other.get(key) == Some(value))
    } else {
        one.iter().eq(other.iter())
    }
}

/// Compares a member that both accept. Returns what is signed of it.
fn compare_member(input: &SignatureInput<'_>, entry: &ListEntry) -> String {
    let ListEntry::InnerList(list) = entry else {
        panic!("not a list of components");
    };
    assert!(!is_beyond_profile(list), "beyond the profile");
    assert_eq!(input.components().count(), list.items.len());
    for (component, item) in input.components().zip(&list.items) {
        assert_eq!(component.to_string(), item.serialize(), "a component");
        let name = item.bare_item.as_string().expect("a string").as_str();
        // An escape is in no name, so the text may keep it.
        assert!(component.name().as_str() == name || name.contains(['"', '\\']));
        assert_eq!(component.is_plain(), item.params.is_empty());
    }
    let theirs = |name: &str| list.params.get(sfv::KeyRef::from_str(name).expect("a key"));
    for (name, ours) in [("created", input.created()), ("expires", input.expires())] {
        let theirs = theirs(name).and_then(|value| value.as_integer().map(i64::from));
        assert_eq!(ours, theirs, "{name}");
    }
    for (name, ours) in [
        ("nonce", input.nonce()),
        ("alg", input.alg()),
        ("keyid", input.key_id()),
        ("tag", input.tag()),
    ] {
        let theirs = theirs(name).and_then(|value| value.as_string().map(sfv::StringRef::as_str));
        assert_eq!(ours.as_deref(), theirs, "{name}");
    }
    vec![entry.clone()].serialize().expect("one member")
}

/// What is signed of the input itself; `None` if a component is not in the message.
fn last_line(headers: &HeaderMap, input: &SignatureInput<'_>) -> Option<String> {
    static URI: LazyLock<Uri> =
        LazyLock::new(|| Uri::from_static("https://host.example/path?Pet=dog&q=1"));
    let head = RequestHead::new(&Method::POST, &URI, Version::HTTP_11, headers);
    let base = SignatureBase::of_request(&head, input).ok()?;
    let line = base.as_str().rsplit('\n').next().expect("a line");
    let line = line.strip_prefix("\"@signature-params\": ");
    Some(line.expect("the last line").to_owned())
}

/// Those of a message.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-a", "1"), ("x-a", "2"), ("x-b", "3")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}
