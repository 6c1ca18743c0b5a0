//! The page of the `wix_backend` example in a real browser, from another origin than its backend.
//!
//! Needs Chromium and its driver (Debian: `chromium chromium-driver`), and so is ignored by
//! default. It builds the example that it runs:
//!
//! ```text
//! cargo test --test browser -- --ignored
//! ```
//!
//! One of the tests makes the pictures of the guide. With this variable, it writes them to `docs`,
//! and needs `pngquant` too:
//!
//! ```text
//! WRITE_SCREENSHOTS=1 cargo test --test browser -- --ignored screenshots
//! ```

#[path = "../it/support/built.rs"]
mod built;
mod chromium;
mod example;
mod screenshots;

use axum::{Router, response::Html, routing::get};
use chromium::Chromium;
use example::Example;
use fantoccini::Locator;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const SITE: &str = "130db01f-83b1-17c8-1803-c27217800b45";

#[tokio::test]
#[ignore = "needs Chromium and its driver"]
async fn a_page_of_the_app_calls_its_backend() {
    let example = Example::start().await;
    let browser = Chromium::start("").await;
    let page = |viewer: &str| Page {
        browser: &browser,
        url: example.url(viewer).to_owned(),
    };

    // Each of these is cross-origin with `Authorization`, so the browser asks first.
    let owner = page("owner");
    let products = json!({ "products": [{ "name": "Tea", "price": 7 }] });
    assert_eq!(
        owner.click("visit").await,
        Shown::new("200", json!({ "site": SITE, "user": "owner-1" }))
    );
    assert_eq!(
        owner.click("settings").await,
        Shown::new("200", json!({ "saved": { "color": "blue" }, "site": SITE }))
    );
    assert_eq!(
        owner.click("products").await,
        Shown::new("200", products.clone())
    );

    let member = page("member");
    assert_eq!(
        member.click("visit").await,
        Shown::new("200", json!({ "site": SITE, "user": "member-1" }))
    );
    assert_eq!(member.click("products").await, Shown::new("200", products));

    // Nobody else gets more than the reason, as JSON.
    let owner_required = Shown::new("403", json!({ "error": "Owner required" }));
    let login_required = Shown::new("403", json!({ "error": "Login required" }));
    for viewer in ["visitor", "unknown"] {
        assert_eq!(page(viewer).click("visit").await, login_required);
    }
    for viewer in ["member", "visitor", "unknown"] {
        assert_eq!(page(viewer).click("settings").await, owner_required);
    }
    assert_eq!(
        page("visitor").click("products").await.status,
        "403",
        "a visitor is not elevated"
    );

    let invalid = Shown::new("401", json!({ "error": "Invalid app instance" }));
    for viewer in ["forged", "stale"] {
        for button in ["visit", "settings"] {
            assert_eq!(page(viewer).click(button).await, invalid);
        }
    }
    assert_eq!(page("forged").click("products").await.status, "401");

    // The same page on an origin that is not allowed: the browser sends nothing but its question.
    let stranger = Page {
        browser: &browser,
        url: owner
            .url
            .replacen("http://localhost:", "http://127.0.0.1:", 1),
    };
    assert_ne!(stranger.url, owner.url);
    for button in ["visit", "settings"] {
        assert_eq!(
            stranger.click(button).await,
            Shown::new("blocked", Value::Null)
        );
    }
    // Where the access token is the gate, every page may ask: sites have domains of their own.
    assert_eq!(stranger.click("products").await.status, "200");
    // And without an app instance, outside of a browser, nobody is served either.
    for route in ["visit", "who", "products"] {
        assert_eq!(
            get_url(&format!("{}/{route}", example.url("backend")))
                .await
                .status(),
            401
        );
    }
    browser.client.close().await.unwrap();
}

#[tokio::test]
#[ignore = "needs Chromium and its driver"]
async fn the_page_says_in_words_who_looks_and_what_was_answered() {
    let example = Example::start().await;
    let browser = Chromium::start("").await;
    for (viewer, identity, title, details, visit) in [
        (
            "owner",
            "owner",
            "You are the owner of this site",
            "owner-1",
            "Welcome, owner-1.",
        ),
        (
            "member",
            "member",
            "You are a member of this site",
            "member-1",
            "Welcome, member-1.",
        ),
        (
            "visitor",
            "visitor",
            "You are a visitor",
            "visitor-1",
            "logged in",
        ),
        (
            "unknown",
            "unknown",
            "Wix does not say who you are",
            SITE,
            "logged in",
        ),
        (
            "stale",
            "refused",
            "This page is not accepted",
            "Reload the dashboard",
            "Reload",
        ),
        (
            "forged",
            "refused",
            "This page is not accepted",
            "Reload the dashboard",
            "Reload",
        ),
    ] {
        let page = Page {
            browser: &browser,
            url: example.url(viewer).to_owned(),
        };
        page.open().await;
        assert_eq!(page.text("#viewer", "dataset.identity").await, identity);
        assert_eq!(page.text("#who", "textContent").await, title);
        assert!(page.text("#details", "textContent").await.contains(details));
        page.click("visit").await;
        let words = page.text("#visit-answer .words", "textContent").await;
        assert!(words.contains(visit), "{viewer} reads: {words}");

        // Wix signs an instance for four hours. Only that one is older.
        assert_eq!(page.asks_to_refresh().await, viewer == "stale", "{viewer}");
    }

    // Somebody leaves the page open for longer than that.
    let owner = Page {
        browser: &browser,
        url: example.url("owner").to_owned(),
    };
    owner.open().await;
    assert!(
        owner
            .text("#freshness", "textContent")
            .await
            .starts_with("Fresh for ")
    );
    browser
        .run(
            "const now = Date.now; Date.now = () => now() + 4 * 3600 * 1000; \
             document.dispatchEvent(new Event('visibilitychange'))",
        )
        .await;
    assert_eq!(owner.text("#freshness", "textContent").await, "");
    assert!(owner.asks_to_refresh().await);
    browser.client.close().await.unwrap();
}

#[tokio::test]
#[ignore = "needs Chromium and its driver"]
async fn texts_of_others_are_no_markup_and_no_other_page_is_let_in() {
    let example = Example::start().await;
    let browser = Chromium::start("").await;
    let owner = Page {
        browser: &browser,
        url: example.url("owner").to_owned(),
    };
    owner.open().await;
    let markup = "<img src=x onerror=document.title='run'>&amp;";
    let color = browser.client.find(Locator::Id("color")).await.unwrap();
    color.clear().await.unwrap();
    color.send_keys(markup).await.unwrap();
    let shown = owner.click_opened("settings").await;
    assert_eq!(shown.json["saved"]["color"], markup);
    let words = owner.text("#settings-answer .words", "textContent").await;
    assert!(words.contains(markup), "{words}");
    assert_eq!(
        browser
            .run("return document.querySelector('main img')")
            .await,
        Value::Null
    );

    let answer = get_url(&owner.url).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    let directives: Vec<_> = policy.split("; ").collect();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "frame-ancestors https://manage.wix.com https://editor.wix.com",
        &format!("connect-src {}", example.url("backend")),
    ] {
        assert!(directives.contains(&directive), "{directive}: {policy}");
    }
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    // The policy holds for the page itself: a script within it does not run.
    browser
        .run(
            "const script = document.createElement('script'); \
             script.textContent = 'document.title = \"run\"'; document.body.append(script)",
        )
        .await;
    assert_ne!(browser.run("return document.title").await, "run");
    browser.client.close().await.unwrap();
}

/// A page of a site, on the domain of its owner: it has an access token and no app instance.
#[tokio::test]
#[ignore = "needs Chromium and its driver"]
async fn a_live_site_on_its_own_domain_elevates() {
    let example = Example::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shop = listener.local_addr().unwrap();
    let pages = Router::new().route(
        "/",
        get(async || Html("<!doctype html><title>Shop</title>")),
    );
    tokio::spawn(axum::serve(listener, pages).into_future());
    let browser = Chromium::start(&format!("MAP www.shop.example:80 {shop}")).await;
    browser
        .client
        .goto("http://www.shop.example/")
        .await
        .unwrap();
    assert_eq!(
        browser.run("return location.origin").await,
        "http://www.shop.example"
    );

    let member = example.parameter("member", "token");
    assert_eq!(
        fetch_with_auth(&browser, &example, "products", &member).await,
        r#"200 {"products":[{"name":"Tea","price":7}]}"#
    );
    let visitor = example.parameter("visitor", "token");
    let refused = fetch_with_auth(&browser, &example, "products", &visitor).await;
    assert!(refused.starts_with("403 "), "{refused}");
    let forged = fetch_with_auth(
        &browser,
        &example,
        "products",
        "OauthNG.JWS.header.forged.signature",
    )
    .await;
    assert!(forged.starts_with("401 "), "{forged}");

    // The other routes are for the pages of the app alone.
    let instance = example.parameter("owner", "instance");
    for route in ["who", "visit"] {
        assert_eq!(
            fetch_with_auth(&browser, &example, route, &instance).await,
            "blocked: TypeError"
        );
    }
    browser.client.close().await.unwrap();
}

/// Sends what `fetchWithAuth` of `@wix/sdk` sends: the token without a scheme, and two headers.
async fn fetch_with_auth(
    browser: &Chromium,
    example: &Example,
    route: &str,
    token: &str,
) -> String {
    let url = format!("{}/{route}", example.url("backend"));
    let script = "const [url, authorization, done] = arguments;
        const headers = { authorization, 'x-wix-linguist': 'en', 'X-Wix-Consistent': 'marker' };
        fetch(url, { headers })
            .then(async (answer) => done(`${answer.status} ${await answer.text()}`))
            .catch((error) => done(`blocked: ${error.name}`));";
    let answer = browser
        .client
        .execute_async(script, vec![url.into(), token.into()])
        .await
        .unwrap();
    answer.as_str().unwrap().to_owned()
}

/// The page of the app, as one person sees it.
struct Page<'a> {
    browser: &'a Chromium,
    url: String,
}

impl Page<'_> {
    /// Returns as soon as the page knows who looks at it.
    async fn open(&self) {
        self.browser.client.goto(&self.url).await.unwrap();
        self.browser
            .wait_for("return document.querySelector('#viewer').dataset.identity !== 'asking'")
            .await;
    }

    async fn click(&self, button: &str) -> Shown {
        self.open().await;
        self.click_opened(button).await
    }

    async fn click_opened(&self, button: &str) -> Shown {
        let element = self.browser.client.find(Locator::Id(button)).await.unwrap();
        element.click().await.unwrap();
        let texts = self
            .browser
            .wait_for(&format!(
                "const answer = document.querySelector('#{button}-answer');
                 return !answer.hidden && [...answer.children].map((child) => child.textContent)"
            ))
            .await;
        Shown::new(
            texts[0].as_str().unwrap(),
            serde_json::from_str(texts[2].as_str().unwrap()).unwrap_or_default(),
        )
    }

    async fn asks_to_refresh(&self) -> bool {
        let shown = "const stale = document.querySelector('#stale');
            return stale.checkVisibility() ? stale.textContent : ''";
        let text = self.browser.run(shown).await;
        text.as_str()
            .unwrap()
            .contains("more than 4 hours ago. Reload the dashboard")
    }

    async fn text(&self, selector: &str, property: &str) -> String {
        let script = format!("return document.querySelector('{selector}').{property}");
        let text = self.browser.run(&script).await;
        text.as_str().expect(selector).to_owned()
    }
}

/// What the page shows after a click.
#[derive(Debug, PartialEq)]
struct Shown {
    status: String,
    json: Value,
}

impl Shown {
    fn new(status: &str, json: Value) -> Self {
        let status = status.to_owned();
        Self { status, json }
    }
}

async fn get_url(url: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap()
}
