//! Connections that break, are pipelined or are shared by many streams.

use bytes::Bytes;
use hmac_auth::{AuthErrorKind, tower::SignRequestLayer};
use http::{Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{
    request::{get, post, secrets, sign_options, signed, with_header},
    server::{Host, LIMIT, Server, is_streamed, on_all_routes, on_all_servers},
    wire::{Answer, CHUNKED, answered, chunk, forged, head, signed_post, wire},
};

#[tokio::test]
async fn a_client_that_goes_away_is_nobody_elses_trouble() {
    on_all_routes(async |host, route| {
        let request = signed_post(route, vec![7; 1000]);
        for framing in ["content-length: 1000\r\n", CHUNKED] {
            let mut connection = host.connect().await;
            connection.send(&head(&request, framing)).await;
            connection
                .send(&if framing == CHUNKED {
                    chunk(&[7; 400])
                } else {
                    vec![7; 400]
                })
                .await;
            host.wait_for(|seen| seen.body_bytes >= 400).await;
            drop(connection);
            if is_streamed(route) {
                host.wait_for(|seen| seen.failed_uploads.len() == 1).await;
                assert_eq!(
                    host.seen().failed_uploads.pop(),
                    Some(Some(AuthErrorKind::BodyUnreadable))
                );
            } else {
                host.wait_for(|seen| seen.refused.len() == 1).await;
                assert_eq!(host.handled(), 0);
            }
            let mut refusals = host.refusals();
            // To some versions of actix, the body of a peer that is gone ends there.
            if host.server == Server::Actix {
                let ended = [
                    AuthErrorKind::WrongDigest,
                    AuthErrorKind::WrongContentLength,
                ];
                if refusals.iter().all(|kind| ended.contains(kind)) {
                    refusals.fill(AuthErrorKind::BodyUnreadable);
                }
            }
            assert_eq!(refusals, [AuthErrorKind::BodyUnreadable]);
            host.seen().handled.clear();
            host.seen().body_bytes = 0;

            let request = signed_post(route, "12345");
            assert_eq!(host.answer(&request).await.body, "5");
            host.seen().handled.clear();
            host.seen().body_bytes = 0;
            // A failed upload has used its signature up; a body that was only buffered has not.
            if is_streamed(route) {
                break;
            }
        }
    })
    .await;
}

/// All bytes of the body have come: only the reset tells that its end has not.
#[tokio::test]
async fn a_stream_that_is_reset_is_no_other_streams_trouble() {
    on_all_routes(async |host, route| {
        let mut http2 = host.http2().await;
        let [reset, other] = ["1234567", "12345"].map(|body| {
            let request = signed_post(route, body);
            http2.send_request(
                request.map(|body| host.held_open(body, |seen| !seen.refused.is_empty())),
            )
        });
        host.wait_for(|seen| seen.body_bytes == 12).await;
        drop(reset);
        let Answer { status, body } = answered(other).await;
        assert_eq!((status, &*body), (200, "5"));
        assert_eq!(host.refusals(), [AuthErrorKind::BodyUnreadable]);
        if is_streamed(route) {
            assert_eq!(
                host.seen().failed_uploads,
                [Some(AuthErrorKind::BodyUnreadable)]
            );
        } else {
            assert_eq!(host.handled(), 1);
        }
        assert_eq!(host.seen().connections, 1);
    })
    .await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    on_all_routes(async |host, route| {
        let mut wrong_digest = signed_post(route, "12345");
        *wrong_digest.body_mut() = b"54321".to_vec();
        let requests = [
            (signed_post(route, "1"), 200),
            (forged(signed(get())), 401),
            (signed_post(route, "12"), 200),
            (wrong_digest, 401),
            (signed(get()), 200),
            (get(), 401),
            (signed_post(route, "123"), 200),
        ];
        let mut connection = host.connect().await;
        connection
            .send(
                &requests
                    .iter()
                    .flat_map(|(request, _)| wire(request))
                    .collect::<Vec<_>>(),
            )
            .await;
        for (index, (_, status)) in requests.iter().enumerate() {
            assert_eq!(connection.status().await, *status, "{index}");
        }
        assert_eq!(host.handled(), 4 + usize::from(is_streamed(route)));
        assert_eq!(host.seen().connections, 1);
    })
    .await;
}

/// The body of a refused request is itself made of requests, and of valid ones: none may ever be
/// taken for the next.
#[tokio::test]
async fn a_refused_body_is_never_taken_for_a_request() {
    const CASES: [(usize, bool, bool); 6] = [
        (0, false, false),
        (0, true, false),
        (0, false, true),
        (0, true, true),
        (20_000, false, false),
        (LIMIT, false, true),
    ];
    on_all_routes(async |host, route| {
        for (padding, is_chunked, is_late) in CASES {
            let host = Host::start(host.server).await;
            let mut body = wire(&signed_post("/smuggled", "12345")).repeat(3);
            body.resize(body.len() + padding, b' ');
            let refused = forged(signed_post(route, body));
            let (head, body) = if is_chunked {
                (
                    head(&refused, CHUNKED),
                    [chunk(refused.body()), b"0\r\n\r\n".to_vec()].concat(),
                )
            } else {
                (
                    head(
                        &refused,
                        &format!("content-length: {}\r\n", refused.body().len()),
                    ),
                    refused.body().clone(),
                )
            };
            let next = wire(&with_header(
                signed_post(route, "123"),
                "connection",
                "close",
            ));

            let mut connection = host.connect().await;
            let mut statuses = Vec::new();
            if is_late {
                connection.send(&head).await;
                statuses.extend(connection.next().await);
                // The host may have closed the connection already.
                let _ = connection.0.write_all(&[body, next].concat()).await;
            } else {
                connection.send(&[head, body, next].concat()).await;
            }
            while let Some(status) = connection.next().await {
                statuses.push(status);
            }
            assert!(
                matches!(statuses[..], [401 | 413] | [401 | 413, 200]),
                "{padding} {is_chunked} {is_late}: {statuses:?}"
            );
            assert_eq!(host.seen().handled, vec![route; statuses.len() - 1]);
        }
    })
    .await;
}

/// All bodies are under way at once: none ends before the host has taken the bytes of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_of_one_connection_are_told_apart() {
    on_all_routes(async |host, route| {
        let taken = (0..100)
            .filter(|number| number % 20 != 0)
            .map(|number| 100 * number)
            .sum::<usize>();
        let mut http2 = host.http2().await;
        let answers = (0..100)
            .map(|number| {
                let mut request = signed_post(route, vec![7; 100 * number]);
                match number % 20 {
                    0 => request = forged(request),
                    10 => request.body_mut()[0] = 8,
                    _ => {}
                }
                http2.send_request(
                    request.map(|body| host.held_open(body, move |seen| seen.body_bytes == taken)),
                )
            })
            .collect::<Vec<_>>();
        for (number, answer) in answers.into_iter().enumerate() {
            let Answer { status, body } = answered(answer).await;
            let refusal = r#"{"error":"Invalid authentication token"}"#.to_owned();
            let expected = if number % 10 == 0 {
                (401, refusal)
            } else {
                (200, (100 * number).to_string())
            };
            assert_eq!((status, body), expected, "{number}");
        }
        let failed_uploads = if is_streamed(route) { 5 } else { 0 };
        assert_eq!(
            host.seen().failed_uploads,
            vec![Some(AuthErrorKind::WrongDigest); failed_uploads]
        );
        assert_eq!(
            (host.handled(), host.seen().connections),
            (90 + failed_uploads, 1)
        );
        let refused = host.refusals();
        let of = |kind| refused.iter().filter(|refused| **refused == kind).count();
        assert_eq!(
            (
                of(AuthErrorKind::WrongMac),
                of(AuthErrorKind::WrongDigest),
                refused.len()
            ),
            (5, 5, 10)
        );
    })
    .await;
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_open() {
    on_all_routes(async |host, route| {
        let mut connection = host.connect().await;
        for round in 0..5 {
            connection
                .send(&wire(&forged(signed_post(route, "12345"))))
                .await;
            assert_eq!(connection.status().await, 401, "{round}");
            connection.send(&wire(&signed_post(route, "12345"))).await;
            assert_eq!(connection.answer().await.body, "5", "{round}");
        }
        assert_eq!((host.handled(), host.seen().connections), (5, 1));
    })
    .await;
}

#[tokio::test]
async fn a_signing_client_is_understood_over_both_versions() {
    on_all_servers(async |host| {
        for is_http2 in [false, true] {
            let host = Host::start(host.server).await;
            let address = host.address;
            // Finds the host under its outer name.
            let connector = service_fn(move |_: Uri| {
                Box::pin(async move { TcpStream::connect(address).await.map(TokioIo::new) })
            });
            let client = Client::builder(TokioExecutor::new())
                .http2_only(is_http2)
                .build::<_, Full<Bytes>>(connector);
            let unsigned = client.request(get().map(Full::from)).await.unwrap();
            assert_eq!(unsigned.status(), 401);
            assert!(unsigned.headers().contains_key("accept-signature"));
            unsigned.into_body().collect().await.unwrap();

            let mut signing = ServiceBuilder::new()
                .layer(SignRequestLayer::new(secrets(), sign_options()))
                .service(client);
            for len in [0, 1, 1024, LIMIT] {
                let request = post().map(|_| Full::from(vec![7; len]));
                let response = signing.ready().await.unwrap().call(request).await.unwrap();
                assert_eq!(response.status(), 200, "{is_http2} {len}");
                assert_eq!(
                    response.into_body().collect().await.unwrap().to_bytes(),
                    len.to_string()
                );
            }
            // The last one: over HTTP/1.1, hyper closes a connection whose body it has not read.
            let too_large = post().map(|_| Full::from(vec![7; LIMIT + 1]));
            assert_eq!(
                signing
                    .ready()
                    .await
                    .unwrap()
                    .call(too_large)
                    .await
                    .unwrap()
                    .status(),
                413
            );
            assert_eq!(host.handled(), 4);
            assert_eq!(host.seen().connections, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn no_method_is_let_through_unsigned() {
    on_all_routes(async |host, route| {
        for method in [
            Method::HEAD,
            Method::OPTIONS,
            Method::DELETE,
            Method::TRACE,
            Method::from_bytes(b"ODD").unwrap(),
        ] {
            let request = with_header(get(), "origin", "https://site.example");
            let mut request = with_header(request, "access-control-request-method", "POST");
            *request.method_mut() = method.clone();
            *request.uri_mut() = format!("https://host.example{route}").parse().unwrap();
            let before = host.handled();
            for (request, expected) in [(request.clone(), 401), (signed(request), 200)] {
                let mut connection = host.connect().await;
                connection.send(&wire(&request)).await;
                let (status, _) = connection.head().await.unwrap().expect("an answer");
                assert_eq!(status, expected, "{method}");
            }
            assert_eq!(host.handled(), before + 1);
        }
        assert_eq!(host.refusals(), [AuthErrorKind::MissingSignature; 5]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_copies_sent_at_once_one_is_accepted() {
    on_all_routes(async |host, route| {
        for _ in 0..20 {
            let request = signed_post(route, "12345");
            let (one, other) = tokio::join!(host.answer(&request), host.answer(&request));
            assert!(
                matches!((one.status, other.status), (200, 401) | (401, 200)),
                "{one:?} {other:?}"
            );
            assert_eq!(host.refusals(), [AuthErrorKind::Replayed]);
        }
        assert_eq!(host.handled(), 20);
    })
    .await;
}
