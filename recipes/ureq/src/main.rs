//! A consumer with ureq 3, which blocks: it signs an `http::Request`, and ureq sends that.

use std::{env, error::Error, time::Duration};

use hmac_auth::{EnvSecrets, SignOptions, sign_request};
use ureq::{Agent, http::Request};

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: recipe-ureq URL")?;
    // Once.
    let config = Agent::config_builder()
        // A signature holds for one URL, so a redirect is an answer like any other.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // Longer is of no use: the host accepts a signature for a minute.
        .timeout_global(Some(Duration::from_secs(30)))
        .build();
    let agent = Agent::new_with_config(config);
    let secrets = EnvSecrets::new("");
    let options = SignOptions::new().key_id("site-a").secret_name("site-a-secret");

    // For each request, and for each try of it.
    let mut request =
        Request::post(url).header("content-type", "application/json").body(r#"{"month":11}"#)?;
    sign_request(&mut request, &secrets, &options)?;
    let mut response = agent.run(request)?;
    if !response.status().is_success() {
        return Err(format!("refused: {}", response.status()).into());
    }
    println!("{}", response.body_mut().read_to_string()?);
    Ok(())
}
