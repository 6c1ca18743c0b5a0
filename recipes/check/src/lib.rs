//! Starts the program of a recipe, and calls it as consumers and attackers do.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use hmac_auth::{MemorySecrets, Secret, SignOptions, generate_secret, sign_request};
use http::{HeaderValue, Method, Request, Uri, header::HOST};

pub use self::{
    answer::Answer,
    attack::{attack_with_body, attacks, attacks_on, attacks_on_routes, keeps_dots},
    received::Received,
    stand_in::consumer,
};

mod answer;
mod attack;
mod received;
mod stand_in;

/// What each host answers to a request that it does not accept.
pub const REFUSED: &str = r#"{"error":"Invalid authentication token"}"#;

/// The largest body that the hosts accept.
pub const MAX_BODY_LEN: usize = 2 * 1024 * 1024;

pub type Signed = Request<Vec<u8>>;

/// A running program. It ends when this is dropped.
pub struct Host {
    process: Child,
    address: SocketAddr,
    secrets: MemorySecrets,
}

impl Host {
    /// Starts the program with the secrets of its consumers, and waits until it listens.
    pub fn start(program: &str) -> Self {
        Self::run(&mut Command::new(program))
    }

    /// Starts a command, whose last argument will be the address to listen on. Rocket reads the
    /// port from a variable.
    pub fn run(command: &mut Command) -> Self {
        let address = free_address();
        command.arg(address.to_string()).env("ROCKET_PORT", address.port().to_string());
        Self::behind(command, address)
    }

    /// Starts a command that gets its requests from somebody who listens at this address.
    pub fn behind(command: &mut Command, address: SocketAddr) -> Self {
        let secrets = MemorySecrets::new();
        for (consumer, variable) in [("site-a", "SITE_A_SECRET"), ("site-b", "SITE_B_SECRET")] {
            let secret = generate_secret().expect("random numbers");
            secrets.insert(consumer, Secret::from_text(&secret).expect("a secret"));
            command.env(variable, secret);
        }
        let process = command.spawn().expect("the program starts");
        let host = Self { process, address, secrets };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        host
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Signs a request for `target` as `site-a` does, who knows the host as `api.example.com`.
    pub fn signed(&self, method: Method, target: &str, body: &[u8]) -> Signed {
        self.sign(unsigned(method, target, body))
    }

    /// Signs a request as it is.
    pub fn sign(&self, request: Signed) -> Signed {
        self.sign_as("site-a", request)
    }

    pub fn sign_as(&self, consumer: &str, request: Signed) -> Signed {
        self.sign_with(SignOptions::new().key_id(consumer).secret_name(consumer), request)
    }

    pub fn sign_with(&self, options: SignOptions, mut request: Signed) -> Signed {
        sign_request(&mut request, &self.secrets, &options).expect("it can be signed");
        request
    }

    /// Sends a request byte by byte as it is, and reads the answer.
    pub fn send(&self, request: &Signed) -> Answer {
        let mut stream = self.open(request);
        let answer = read_head(&mut stream);
        let mut body = Vec::new();
        match answer.header("content-length").parse() {
            _ if request.method() == Method::HEAD => {}
            Ok(len) => {
                body.resize(len, 0);
                stream.read_exact(&mut body).expect("a body");
            }
            Err(_) => {
                stream.read_to_end(&mut body).expect("a body");
            }
        }
        answer.with_body(&body)
    }

    /// Sends a request, and reads no more than the head of the answer.
    pub fn head(&self, request: &Signed) -> Answer {
        read_head(&mut self.open(request))
    }

    /// Sends a request, and leaves the reading to the caller.
    pub fn open(&self, request: &Signed) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let wait = Some(Duration::from_secs(20));
        stream.set_read_timeout(wait).expect("a timeout");
        let target = request.uri().path_and_query().expect("a target");
        let mut head = format!("{} {target} HTTP/1.1\r\n", request.method());
        for (name, value) in request.headers() {
            let value = value.to_str().expect("text");
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !request.headers().contains_key("connection") {
            head.push_str("connection: close\r\n");
        }
        if !request.body().is_empty() {
            head.push_str(&format!("content-length: {}\r\n", request.body().len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        // A host may refuse a body without reading it.
        let _ = stream.write_all(request.body());
        stream
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_head(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Byte by byte: what follows is the body.
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    Answer::parse(&head)
}

/// A request for `target`, which is in origin form, with the `Host` that consumers know.
pub fn unsigned(method: Method, target: &str, body: &[u8]) -> Signed {
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = method;
    *request.uri_mut() = target.parse::<Uri>().expect("a target");
    let host = HeaderValue::from_static("api.example.com");
    request.headers_mut().insert(HOST, host);
    if !body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert("content-type", json);
    }
    request
}

/// An address that nobody listens at.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
