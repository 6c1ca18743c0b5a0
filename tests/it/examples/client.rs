//! The clients in other languages, and the document that shows them.

use std::{
    fs::{self, File},
    path::Path,
};

use tokio::process::Command;

use crate::support::example::{Host, SECRET, foreign_clients, runs, skip, text};

#[tokio::test]
async fn curl_is_accepted() {
    if !(runs("openssl", &["version"]).await && runs("curl", &["--version"]).await) {
        return skip("curl.sh needs openssl and curl");
    }
    let mut client = Command::new("sh");
    client.arg("examples/clients/curl.sh");
    check_client(client).await;
}

#[tokio::test]
async fn python_is_accepted() {
    let installed = foreign_clients().join("venv/bin/python");
    for python in [installed.to_str().unwrap(), "python3"] {
        if runs(
            python,
            &[
                "-c",
                "import requests; from http_message_signatures import MappingKeyResolver",
            ],
        )
        .await
        {
            let mut client = Command::new(python);
            client.arg("examples/clients/python_client.py");
            return check_client(client).await;
        }
    }
    skip("python_client.py needs requests and http-message-signatures: run .ci/foreign_clients");
}

#[tokio::test]
async fn node_is_accepted() {
    let installed = foreign_clients();
    if !(runs("node", &["--version"]).await
        && installed
            .join("node_modules/http-message-signatures")
            .is_dir())
    {
        return skip("node_client.mjs needs http-message-signatures: run .ci/foreign_clients");
    }
    // From its standard input, node looks for packages in the working directory.
    let mut client = Command::new("node");
    client
        .current_dir(installed)
        .args(["--input-type=module", "-"]);
    client.stdin(File::open("examples/clients/node_client.mjs").unwrap());
    check_client(client).await;
}

/// The document shows what was run, word by word.
#[test]
fn the_snippets_are_those_of_the_clients() {
    let document = fs::read_to_string("examples/clients.md").unwrap();
    let mut blocks = document.split("\n```");
    let mut checked = 0;
    while let (Some(_), Some(block)) = (blocks.next(), blocks.next()) {
        let (language, snippet) = block.split_once('\n').unwrap();
        let program = match language {
            "sh" => "curl.sh",
            "python" => "python_client.py",
            "js" => "node_client.mjs",
            _ => continue,
        };
        let program = fs::read_to_string(Path::new("examples/clients").join(program)).unwrap();
        assert!(
            program.contains(snippet),
            "the {language} snippet of examples/clients.md is not in its program"
        );
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// A GET and a POST are accepted. `.ci/foreign_clients` also shows that another secret is refused.
async fn check_client(mut client: Command) {
    let host = Host::start(&[]).await;
    client
        .env("HMAC_AUTH_SECRET", &*SECRET)
        .env("NO_PROXY", "127.0.0.1");
    let output = client.arg(host.url.to_string()).output().await.unwrap();
    let answers = text(&output.stdout);
    assert!(
        output.status.success(),
        "{answers}{}{}",
        text(&output.stderr),
        host.stop().await
    );
    assert!(answers.contains(r#""received":{"month":11}"#), "{answers}");
    assert_eq!(host.stop().await, "");
}
