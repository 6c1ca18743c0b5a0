//! The text that was signed, as the layer shows it.

use hmac_auth::{SignOptions, client};
use reqwest::{Method, Request};

use crate::support::{
    recorder::{Recorder, TRACES},
    request::secrets,
};

#[test]
fn what_was_signed_is_an_event() {
    Recorder::install();
    TRACES.take();
    let url = "https://host.example/orders?page=2".parse().unwrap();
    let mut request = Request::new(Method::GET, url);
    client::sign(&mut request, &secrets(), &SignOptions::new()).unwrap();
    let [event] = &TRACES.take()[..] else {
        panic!("one event")
    };
    assert_eq!(event["message"], "request signed");
    assert!(
        event["base"].contains(r#"\n\"@path\": /orders\n\"@query\": <7 bytes>"#),
        "{event:?}"
    );
    assert!(!event.contains_key("key_id"));
}
