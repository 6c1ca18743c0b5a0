//! Elevation with an app instance in the place of an access token, as a dashboard page sends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::wix::{Elevation, ElevationErrorKind as Kind};
use serde_json::json;

use crate::support::oauth::{APP_ID, Reply, Wix, authorization, everybody, good_token, refusal};

const NOW: u64 = 1_700_000_000;

/// Signed at [`NOW`]. Only Wix can judge its signature here.
fn app_instance() -> String {
    let payload = format!(
        r#"{{"instanceId":"i1","appDefId":"{APP_ID}","signDate":"2023-11-14T22:13:20Z","uid":"u"}}"#
    );
    let signature = URL_SAFE_NO_PAD.encode([7; 32]);
    format!("{signature}.{}", URL_SAFE_NO_PAD.encode(payload))
}

/// Wix calls everything active and names no time.
async fn wix_without_exp() -> Arc<Wix> {
    let wix = Wix::start().await;
    wix.on_token_info(|_, _| {
        Reply::json(&json!({
            "active": true, "subjectType": "USER", "subjectId": "u",
            "clientId": APP_ID.to_uppercase(), "instanceId": "i1",
        }))
    });
    wix.on_access_token(|count, question| Reply::json(&good_token(count, question)));
    wix
}

fn at_the_time_of(elevation: Elevation, time: &Arc<AtomicU64>) -> Elevation {
    let time = Arc::clone(time);
    elevation.clock(move || UNIX_EPOCH + Duration::from_secs(time.load(Ordering::Relaxed)))
}

#[tokio::test]
async fn an_app_instance_is_elevated_and_remembered_shortly() {
    let wix = wix_without_exp().await;
    let time = Arc::new(AtomicU64::new(NOW));
    let elevation = at_the_time_of(wix.elevation(), &time);
    for (seconds, asked) in [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3)] {
        time.store(NOW + seconds, Ordering::Relaxed);
        let elevated = elevation.elevate(&app_instance(), everybody).await.unwrap();
        assert_eq!(authorization(&elevated), "OauthNG.JWS.i1.0.app");
        assert_eq!(wix.counts(), (asked, 1), "after {seconds} s");
    }
    time.store(NOW + 24 * 60 * 60, Ordering::Relaxed);
    let error = refusal(elevation.elevate(&app_instance(), everybody).await);
    assert_eq!(error.kind(), Kind::Expired);
}

#[tokio::test]
async fn an_access_token_without_exp_stays_refused() {
    let wix = wix_without_exp().await;
    let error = refusal(
        wix.elevation()
            .elevate("OauthNG.JWS.i1.7.visitor", everybody)
            .await,
    );
    assert_eq!((error.kind(), wix.counts()), (Kind::NoExpiration, (1, 0)));
}
