//! The people who look at the page, and what Wix gives each of them.

use std::error::Error;

use hmac_auth::generate_secret;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::wix_stand_in::{MEMBER_TOKEN, USER_TOKEN, VISITOR_TOKEN, app_instance};

/// A name, and the query that Wix adds to the URL of the page.
pub(crate) fn all(app_secret: &str) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let owner = json!({ "uid": "owner-1", "permissions": "OWNER" });
    let stale = {
        let signed = Timestamp::now() - 5.hours();
        let mut fields = owner.clone();
        fields["signDate"] = signed.to_string().into();
        fields["expirationDate"] = (signed + 4.hours()).to_string().into();
        fields
    };
    let query = |app_secret: &str, fields: &Value, token: &str| {
        app_instance(app_secret, fields)
            .map(|instance| format!("instance={instance}&token={token}"))
    };
    Ok(vec![
        ("owner", query(app_secret, &owner, USER_TOKEN)?),
        (
            "member",
            query(
                app_secret,
                &json!({ "uid": "member-1", "aid": "visitor-2" }),
                MEMBER_TOKEN,
            )?,
        ),
        (
            "visitor",
            query(app_secret, &json!({ "aid": "visitor-1" }), VISITOR_TOKEN)?,
        ),
        // What a cached page has: nobody's id, whatever else it says.
        (
            "unknown",
            query(app_secret, &json!({ "permissions": "OWNER" }), "")?,
        ),
        ("stale", query(app_secret, &stale, USER_TOKEN)?),
        (
            "forged",
            query(
                &generate_secret()?,
                &owner,
                "OauthNG.JWS.header.forged.signature",
            )?,
        ),
    ])
}
