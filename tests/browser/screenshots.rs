//! The pictures of the page in the guide.

use std::{env, fmt::Write, fs, path::Path, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{Page, chromium::Chromium, example::Example};

const BUTTONS: &[&str] = &["visit", "settings", "products"];

/// The name of a picture, who looks at the page, the width of the screen, its scheme, and the
/// buttons to click.
const PICTURES: [(&str, &str, u32, &str, &[&str]); 3] = [
    ("wix-page-light", "owner", 720, "light", BUTTONS),
    ("wix-page-dark", "visitor", 720, "dark", BUTTONS),
    ("wix-page-360", "stale", 360, "light", &["visit"]),
];

/// A guide is read over slow lines too.
const MAX_LEN: usize = 60_000;

#[tokio::test]
#[ignore = "needs Chromium and its driver"]
async fn screenshots_of_the_page() {
    let example = Example::start().await;
    let browser = Chromium::start("").await;
    let mut grounds = Vec::new();
    let mut pictures = Vec::new();
    for (name, viewer, width, scheme, buttons) in PICTURES {
        browser.look(width, scheme).await;
        let page = Page {
            browser: &browser,
            url: example.url(viewer).to_owned(),
        };
        page.open().await;
        for button in buttons {
            page.click_opened(button).await;
        }
        // Nothing hangs over the edge.
        let needed = "return document.documentElement.scrollWidth";
        assert_eq!(browser.run(needed).await, width, "{name}");
        let ground = "return getComputedStyle(document.body).backgroundColor";
        grounds.push(browser.run(ground).await);

        // Without the mark of the field that has the focus.
        browser.run("document.activeElement.blur()").await;
        let picture = browser.screenshot().await;
        assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(picture[16..20], width.to_be_bytes());
        pictures.push((name, picture));
    }
    assert_eq!(grounds[0], grounds[2]);
    assert_ne!(grounds[0], grounds[1], "dark is as light");
    browser.client.close().await.unwrap();

    if env::var_os("WRITE_SCREENSHOTS").is_some() {
        write(&pictures);
    }
}

/// Writes the pictures. Rustdoc copies no files, so a second file has them as links with data.
fn write(pictures: &[(&str, Vec<u8>)]) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut links = String::new();
    for (name, picture) in pictures {
        let path = docs.join(format!("{name}.png"));
        fs::write(&path, picture).unwrap();
        let small = Command::new("pngquant")
            .args(["--force", "--ext=.png", "--nofs", "--speed=1", "32"])
            .arg(&path)
            .status()
            .expect("pngquant is installed: Debian's package of this name");
        assert!(small.success());
        let picture = fs::read(&path).unwrap();
        assert!(picture.len() < MAX_LEN, "{name} has {}", picture.len());
        let data = STANDARD.encode(picture);
        writeln!(links, "[{name}]: data:image/png;base64,{data}").unwrap();
    }
    fs::write(docs.join("wix-page-links.md"), links).unwrap();
}
