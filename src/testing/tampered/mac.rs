//! Changes of the two signature fields, and of the MAC.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    List, Part, SignatureFields,
    signature_fields::{set_signature, set_signature_input},
};
use crate::message::{SIGNATURE, SIGNATURE_INPUT};

pub(super) fn add_fields(list: &mut List<'_>, signature: &SignatureFields) {
    let part = Part::SignatureFields;
    list.add(part, "both removed", |request| {
        request.headers_mut().remove(SIGNATURE_INPUT);
        request.headers_mut().remove(SIGNATURE);
    });
    list.add(part, "both emptied", |request| {
        set_signature_input(request, "");
        set_signature(request, "");
    });
    let other_label = SignatureFields {
        label: if signature.label == "other" {
            "another"
        } else {
            "other"
        }
        .to_owned(),
        ..signature.clone()
    };
    for (name, text, other) in [
        (SIGNATURE_INPUT, signature.input(), other_label.input()),
        (SIGNATURE, signature.signature(), other_label.signature()),
    ] {
        let set = if name == SIGNATURE {
            set_signature
        } else {
            set_signature_input
        };
        list.add(part, &format!("`{name}` removed"), |request| {
            request.headers_mut().remove(&name);
        });
        for (change, changed) in [
            ("emptied", String::new()),
            ("label changed", other.clone()),
            ("doubled in one line", format!("{text}, {text}")),
            ("a comma at the end", format!("{text},")),
            ("a label alone added", format!("{text}, {other}")),
            (
                "without its label",
                text[signature.label.len() + 1..].to_owned(),
            ),
        ] {
            list.add(part, &format!("`{name}`: {change}"), |request| {
                set(request, &changed);
            });
        }
        list.add(
            part,
            &format!("`{name}`: doubled in two lines"),
            |request| {
                let line = request.headers()[&name].clone();
                request.headers_mut().append(&name, line);
            },
        );
    }
}

pub(super) fn add_macs(list: &mut List<'_>, signature: &SignatureFields) {
    let mac = signature.mac;
    let flipped = |index: usize, mask: u8| {
        let mut flipped = mac;
        flipped[index] ^= mask;
        flipped.to_vec()
    };
    let mut swapped = mac.to_vec();
    swapped.reverse();
    for (change, bytes) in [
        ("first bit flipped", flipped(0, 0x80)),
        ("a bit flipped in the middle", flipped(16, 1)),
        ("last bit flipped", flipped(31, 1)),
        ("all bits flipped", mac.map(|byte| !byte).to_vec()),
        ("bytes in the other order", swapped),
        ("cut by a byte", mac[..31].to_vec()),
        ("cut to half", mac[..16].to_vec()),
        ("cut to one byte", mac[..1].to_vec()),
        ("empty", Vec::new()),
        ("a byte longer", [&mac[..], &[0]].concat()),
        ("twice in a row", [mac, mac].concat()),
        ("zeros", vec![0; 32]),
    ] {
        let text = signature.signature_of(&STANDARD.encode(bytes));
        list.add(Part::Mac, change, |request| set_signature(request, &text));
    }
    // 32 bytes are 42 digits, a digit of which two bits count not, and one `=`.
    let canonical = STANDARD.encode(mac);
    let digits = canonical.trim_end_matches('=');
    let (before, digit) = digits.split_at(digits.len() - 1);
    let next = char::from(digit.as_bytes()[0] + 1);
    for (change, text) in [
        (
            "bits behind its end",
            signature.signature_of(&format!("{before}{next}=")),
        ),
        ("without padding", signature.signature_of(digits)),
        (
            "as a string",
            format!("{}=\"{canonical}\"", signature.label),
        ),
        ("as a token", format!("{}=x", signature.label)),
        ("with a parameter", format!("{};x=1", signature.signature())),
    ] {
        list.add(Part::Mac, change, |request| set_signature(request, &text));
    }
}
