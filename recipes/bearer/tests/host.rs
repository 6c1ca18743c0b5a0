//! A signature, or a token; and a token makes up for no signature.

use std::process::Command;

use check::{Host, Signed, unsigned};
use http::{HeaderValue, Method};

const TOKEN: &str = "a token that only this test knows";

fn with_token(mut request: Signed, token: &str) -> Signed {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    request.headers_mut().insert("authorization", value);
    request
}

#[test]
fn a_signature_or_a_token_opens_the_door() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recipe-bearer"));
    let host = Host::run(command.env("USER_TOKEN", TOKEN));
    let get = || unsigned(Method::GET, "/orders/7", b"");

    let signed = host.sign(get());
    assert_eq!(host.send(&signed).body, "hello, site-a");
    assert_eq!(host.send(&signed).status, 401, "repeated");
    assert_eq!(host.send(&with_token(signed, TOKEN)).status, 401, "a token beside it");
    let mut half = with_token(host.sign(get()), TOKEN);
    half.headers_mut().remove("signature");
    assert_eq!(host.send(&half).status, 401, "half of a signature");
    check::attacks_on(&host, 200, &|| host.sign(get()));

    let answer = host.send(&with_token(get(), TOKEN));
    assert_eq!((answer.status, &*answer.body), (200, "hello, ada"));
    assert_eq!(answer.header("cache-control"), "private");
    for wrong in ["", "a token", &TOKEN[1..], &TOKEN.to_uppercase()] {
        assert_eq!(host.send(&with_token(get(), wrong)).status, 401, "{wrong}");
    }
    let nothing = host.send(&unsigned(Method::GET, "/unknown", b""));
    let challenges: Vec<_> = nothing.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Signature", "Bearer"]);
    assert_eq!((nothing.status, &*nothing.body), (401, check::REFUSED));
}
