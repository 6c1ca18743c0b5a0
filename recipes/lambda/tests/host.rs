//! The program under the same attacks as all hosts, behind a stand-in for an HTTP API.

use std::{io::Write, net::TcpListener, process::Command, thread};

use check::{Host, Received};
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions,
    ValidateOptions, generate_secret, sign_request, validate_auth,
};
use http::Method;
use serde_json::{Value, json};

#[test]
fn only_valid_requests_get_through() {
    let runtime = TcpListener::bind("127.0.0.1:0").unwrap();
    let front = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = front.local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_recipe-lambda"));
    command
        .env("AWS_LAMBDA_RUNTIME_API", runtime.local_addr().unwrap().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "group");
    thread::spawn(move || gateway(&front, &runtime));
    check::attacks(&Host::behind(&mut command, address));
}

/// Hands each request on as an event, and waits for the answer to it.
fn gateway(front: &TcpListener, runtime: &TcpListener) {
    loop {
        let (mut client, _) = front.accept().unwrap();
        let Some(request) = Received::read(&client) else { continue };
        let (mut next, _) = runtime.accept().unwrap();
        Received::read(&next).unwrap();
        let event = event(&request).to_string();
        write!(
            next,
            "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: \
             4102444800000\r\nlambda-runtime-invoked-function-arn: arn\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{event}",
            event.len()
        )
        .unwrap();
        drop(next);
        let (mut result, _) = runtime.accept().unwrap();
        let answer: Value = serde_json::from_str(&Received::read(&result).unwrap().body).unwrap();
        result
            .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut text = format!("HTTP/1.1 {} -\r\n", answer["statusCode"]);
        for (name, value) in answer["headers"].as_object().unwrap() {
            text += &format!("{name}: {}\r\n", value.as_str().unwrap());
        }
        text += &format!("\r\n{}", answer["body"].as_str().unwrap_or_default());
        client.write_all(text.as_bytes()).unwrap();
    }
}

/// An event of the payload format 2.0.
fn event(request: &Received) -> Value {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let headers: Value =
        request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": headers, "body": request.body, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "api.example.com", "domainPrefix": "api",
            "http": {
                "method": request.method, "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "check",
            },
            "requestId": "1", "routeKey": "$default", "stage": "$default",
            "time": "25/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
        },
    })
}

/// What a REST API and a load balancer hand on is enough for requests without a query.
#[test]
fn a_query_that_comes_as_a_map_cannot_be_validated() {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret().unwrap()).unwrap());
    let options = ValidateOptions::new().authorities(["api.example.com"]);
    for (of, context) in [
        ("a REST API", json!({ "apiId": "a", "stage": "$default", "httpMethod": "POST" })),
        ("a load balancer", json!({ "elb": { "targetGroupArn": "arn" } })),
    ] {
        for (target, refused) in [("/orders/7", None), ("/orders/7?q=%7e", Some(Kind::WrongMac))] {
            let mut request = check::unsigned(Method::POST, target, b"{}");
            sign_request(&mut request, &secrets, &SignOptions::new()).unwrap();
            let headers: Value = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
                .collect();
            // A REST API decodes the values, and a load balancer does not.
            let value = if of == "a REST API" { "~" } else { "%7e" };
            let query = request.uri().query().map_or(json!({}), |_| json!({ "q": value }));
            let event = json!({
                "resource": "/{proxy+}", "path": "/orders/7", "httpMethod": "POST",
                "headers": headers, "queryStringParameters": query, "body": "{}",
                "isBase64Encoded": false, "requestContext": context,
            });
            let received = lambda_http::request::from_str(&event.to_string()).unwrap();
            let kind = validate_auth(&received, &secrets, &options).err().map(|error| error.kind());
            assert_eq!(kind, refused, "{of} {target}: {:?}", received.uri());
        }
    }
}
