//! From a header that holds the secret itself.

use http::request::Parts;

use super::steps::{
    OldSecrets, Scheme, Step, assert_forgotten, assert_open_until_required, assert_rehearsed,
    assert_step, insert, text,
};
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

#[tokio::test]
async fn before() {
    assert_step(Step::Before, SCHEME).await;
}

#[tokio::test]
async fn the_host_observes() {
    assert_step(Step::Observe, SCHEME).await;
    assert_rehearsed(SCHEME).await;
}

#[tokio::test]
async fn the_host_accepts_both() {
    assert_step(Step::AcceptBoth, SCHEME).await;
}

#[tokio::test]
async fn the_old_check_forgets_a_consumer_that_has_moved() {
    assert_forgotten(SCHEME).await;
}

#[tokio::test]
async fn the_host_requires_signatures() {
    assert_step(Step::Require, SCHEME).await;
}

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
