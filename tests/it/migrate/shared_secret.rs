//! From a header that holds the secret itself.

use http::request::Parts;

use super::steps::{OldSecrets, Scheme, assert_open_until_required, insert, test_each_step, text};
use crate::support::request::TestRequest;

pub(super) const SCHEME: Scheme = Scheme { add, find };

fn add(request: &mut TestRequest, secret: &str) {
    insert(request, "x-api-key", secret);
}

fn find(secrets: OldSecrets, head: &Parts, _: &[u8]) -> Option<&'static str> {
    let given = text(head, "x-api-key")?;
    let mut secrets = secrets.iter();
    secrets
        .find(|(_, secret)| *secret == given)
        .map(|(consumer, _)| *consumer)
}

test_each_step!(SCHEME);

/// Who has seen one request knows the secret, and asks whatever there is to ask.
#[tokio::test]
async fn a_seen_secret_opens_everything_until_the_last_step() {
    assert_open_until_required(SCHEME, |mut request| {
        *request.uri_mut() = "/refunds".parse().unwrap();
        *request.body_mut() = b"all of it".to_vec();
        request
    })
    .await;
}
