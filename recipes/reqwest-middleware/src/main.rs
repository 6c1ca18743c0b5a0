//! A consumer with reqwest-middleware that retries: signing is the innermost middleware, so that
//! each try has its own time and nonce. To the host, each is another request: retry only what may
//! happen twice.

use std::{env, error::Error, time::Duration};

use hmac_auth::{EnvSecrets, SignOptions, client::sign};
use http::Extensions;
use reqwest::{Request, Response, redirect, retry};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};

struct Sign {
    secrets: EnvSecrets,
    options: SignOptions,
}

#[async_trait::async_trait]
impl Middleware for Sign {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        sign(&mut request, &self.secrets, &self.options)
            .map_err(reqwest_middleware::Error::middleware)?;
        next.run(request, extensions).await
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: recipe-reqwest-middleware URL")?;
    // Below the signature, nothing may send a request elsewhere or once more.
    let http = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .timeout(Duration::from_secs(30))
        .build()?;
    let sign = Sign {
        secrets: EnvSecrets::new(""),
        options: SignOptions::new().key_id("site-a").secret_name("site-a-secret"),
    };
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(100), Duration::from_secs(5))
        .build_with_max_retries(3);
    let client = ClientBuilder::new(http)
        .with(RetryTransientMiddleware::new_with_policy(policy))
        .with(sign) // The last one is next to the client.
        .build();

    let response = client.get(url).send().await?;
    if !response.status().is_success() {
        return Err(format!("refused: {}", response.status()).into());
    }
    println!("{}", response.text().await?);
    Ok(())
}
