//! Slow, endless and limited bodies, `Expect: 100-continue`, and trailers.

use std::{future, time::Duration};

use hmac_auth::AuthErrorKind;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::sleep,
};

use crate::support::{
    request::options,
    server::{Host, LIMIT, Server, is_streamed, on_all_routes, on_routes_of_hyper},
    wire::{Answer, CHUNKED, answered, chunk, chunked, forged, head, signed_post},
};

#[tokio::test]
async fn bodies_are_limited_to_the_byte() {
    on_all_routes(async |host, route| {
        let (most, more) = (
            signed_post(route, vec![7; LIMIT]),
            signed_post(route, vec![7; LIMIT + 1]),
        );
        assert_eq!(host.answer(&most).await.body, LIMIT.to_string());
        assert_eq!(host.handled(), 1);

        // Refused although not a byte of the body was sent, and without inviting the client to send
        // it.
        for expect in ["", "expect: 100-continue\r\n"] {
            let mut connection = host.connect().await;
            connection
                .send(&head(
                    &more,
                    &format!("{expect}content-length: {}\r\n", LIMIT + 1),
                ))
                .await;
            if host.server == Server::Actix && !expect.is_empty() {
                // Actix tells everybody to continue, before it asks anybody.
                assert_eq!(connection.status().await, 100);
            }
            let Answer { status, body } = connection.answer().await;
            assert_eq!((status, &*body), (413, r#"{"error":"Payload too large"}"#));
        }
        assert_eq!((host.handled(), host.seen().body_bytes), (1, LIMIT));

        // A chunked body tells its length only at its end.
        let mut connection = host.connect().await;
        connection
            .send(&chunked(&signed_post(route, vec![7; LIMIT]), 1000, ""))
            .await;
        assert_eq!(connection.answer().await.body, LIMIT.to_string());
        connection.send(&chunked(&more, 1000, "")).await;
        assert_eq!(connection.status().await, 413);
        assert_eq!(host.refusals(), [AuthErrorKind::BodyTooLarge; 3]);
    })
    .await;
}

#[tokio::test]
async fn only_who_is_authenticated_is_told_to_continue() {
    on_routes_of_hyper(async |host, route| {
        let request = signed_post(route, "12345");
        let framing = "expect: 100-continue\r\ncontent-length: 5\r\n";

        let mut connection = host.connect().await;
        connection
            .send(&head(&forged(request.clone()), framing))
            .await;
        assert_eq!(connection.status().await, 401);
        assert_eq!(
            (host.handled(), host.refusals()),
            (0, vec![AuthErrorKind::WrongMac])
        );

        let mut connection = host.connect().await;
        connection.send(&head(&request, framing)).await;
        assert_eq!(connection.status().await, 100);
        connection.send(b"12345").await;
        let Answer { status, body } = connection.answer().await;
        assert_eq!((status, &*body), (200, "5"));
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_are_waited_for_as_long_as_the_time_limit_allows() {
    on_all_routes(async |host, route| {
        let request = signed_post(route, vec![7; 20]);
        let mut connection = host.connect().await;
        connection
            .send(&head(&request, "content-length: 20\r\n"))
            .await;
        for _ in 0..20 {
            connection.send(&[7]).await;
            sleep(Duration::from_millis(3)).await;
        }
        assert_eq!(connection.answer().await.body, "20");

        let host = Host::with(host.server, options(), Duration::from_millis(200)).await;
        let request = signed_post(route, vec![7; LIMIT]);
        let stream = TcpStream::connect(host.address).await.unwrap();
        let (read, mut write) = stream.into_split();
        write
            .write_all(&head(&request, &format!("content-length: {LIMIT}\r\n")))
            .await
            .unwrap();
        let slow = tokio::spawn(async move {
            while write.write_all(&[7]).await.is_ok() {
                sleep(Duration::from_millis(3)).await;
            }
        });
        let mut answer = String::new();
        BufReader::new(read).read_line(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert_eq!(host.handled(), usize::from(is_streamed(route)));
        // The host has closed the connection.
        slow.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn endless_bodies_are_read_no_further_than_the_limit() {
    const CHUNK: usize = 16 * 1024;
    on_all_routes(async |host, route| {
        let request = signed_post(route, "the digest of another body");
        let (read, mut write) = TcpStream::connect(host.address).await.unwrap().into_split();
        write.write_all(&head(&request, CHUNKED)).await.unwrap();
        let endless = tokio::spawn(async move {
            let chunk = chunk(&[7; CHUNK]);
            while write.write_all(&chunk).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let mut answer = String::new();
        BufReader::new(read).read_line(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        // The host has closed the connection, and of the body only what passed the limit was ever
        // asked for.
        endless.await.unwrap();
        let taken = host.seen().body_bytes;
        assert!(
            (LIMIT + 1..=LIMIT + CHUNK).contains(&taken),
            "{taken} bytes"
        );
    })
    .await;
}

#[tokio::test]
async fn trailers_are_refused_over_both_versions() {
    on_routes_of_hyper(async |host, route| {
        let mut connection = host.connect().await;
        connection
            .send(&chunked(
                &signed_post(route, "12345"),
                2,
                "x-unsigned: 1\r\n",
            ))
            .await;
        assert_eq!(connection.status().await, 401);

        let trailers = HeaderMap::from_iter([(
            HeaderName::from_static("x-unsigned"),
            HeaderValue::from_static("1"),
        )]);
        let request = signed_post(route, "12345")
            .map(|body| Full::from(body).with_trailers(future::ready(Some(Ok(trailers)))));
        assert_eq!(
            answered(host.http2().await.send_request(request))
                .await
                .status,
            401
        );

        assert_eq!(host.refusals(), [AuthErrorKind::TrailersNotCovered; 2]);
        if is_streamed(route) {
            assert_eq!(
                host.seen().failed_uploads,
                [Some(AuthErrorKind::TrailersNotCovered); 2]
            );
        } else {
            assert_eq!(host.handled(), 0);
        }
    })
    .await;
}
