//! A host for the programs of consumers.

use std::{
    io::Write,
    net::TcpListener,
    process::{Command, Output},
    sync::mpsc,
    thread,
};

use hmac_auth::{
    MemoryReplayGuard, MemorySecrets, Secret, ValidateOptions, generate_secret, signature::Scheme,
    validate_auth,
};
use http::Request;

use crate::Received;

/// Runs the program of a consumer, with the URL of a host that answers so to the requests that it
/// accepts, one after the other. Returns what the program has printed, and what the host has
/// answered.
pub fn consumer(program: &str, answers: &'static [u16]) -> (Output, Vec<u16>) {
    let secret = generate_secret().expect("random numbers");
    let secrets = MemorySecrets::new();
    secrets.insert("site-a-secret", Secret::from_text(&secret).expect("a secret"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (sender, answered) = mpsc::channel();
    // Older than each signature.
    let guard = MemoryReplayGuard::new();
    thread::spawn(move || serve(&listener, &secrets, &guard, answers, &sender));
    let output = Command::new(program)
        .arg(format!("http://{address}/orders/7?page=2"))
        .env("SITE_A_SECRET", secret)
        .output()
        .expect("the program runs");
    (output, answered.try_iter().collect())
}

fn serve(
    listener: &TcpListener,
    secrets: &MemorySecrets,
    guard: &MemoryReplayGuard,
    answers: &'static [u16],
    answered: &mpsc::Sender<u16>,
) {
    let address = listener.local_addr().expect("an address");
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http)
        .key_ids([("site-a", "site-a-secret")]);
    let mut answers = answers.iter().copied();
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let received = Received::read(&stream).expect("a request");
        let mut request = Request::builder().method(&*received.method).uri(&*received.target);
        for (name, value) in &received.headers {
            request = request.header(name, value);
        }
        let request = request.body(received.body).expect("a request");
        let validated = validate_auth(&request, secrets, &options)
            .and_then(|validated| guard.first_use(validated))
            .inspect_err(|error| eprintln!("refused: {}: {error:#}", error.kind()));
        let status = validated.map_or(401, |_| answers.next().expect("no further request"));
        let location = "location: http://127.0.0.1:1/";
        let answer = format!(
            "HTTP/1.1 {status} -\r\ncontent-length: 2\r\nconnection: close\r\n{location}\r\n\r\nok"
        );
        // Before the program can see the answer, and end.
        let _ = answered.send(status);
        stream.write_all(answer.as_bytes()).expect("it reads");
    }
}
