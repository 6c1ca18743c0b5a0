//! Where each version of HTTP names the authority, with and without a proxy.

use std::{net::SocketAddr, time::Duration};

use hmac_auth::{AuthErrorKind, signature::Scheme};
use http::{HeaderName, HeaderValue, Request, header::HOST};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::service_fn;

use crate::support::{
    request::{get, options, signed, signed_as},
    server::{Host, Server, Shared, on_all_servers},
    wire::{head_for, signed_post},
};

#[tokio::test]
async fn http_1_names_its_authority_in_host() {
    on_all_servers(async |host| {
        for (field, expected) in [
            ("host: host.example\r\n", Ok(())),
            ("host: HOST.example:443\r\n", Ok(())),
            (
                "host: host.example:80\r\n",
                Err(AuthErrorKind::UnlistedAuthority),
            ),
            (
                "host: other.example\r\n",
                Err(AuthErrorKind::UnlistedAuthority),
            ),
            ("", Err(AuthErrorKind::MissingAuthority)),
            (
                "host: host.example\r\nhost: other.example\r\n",
                Err(AuthErrorKind::ConflictingAuthority),
            ),
            (
                "host: host.example\r\nhost: host.example\r\n",
                Err(AuthErrorKind::ConflictingAuthority),
            ),
        ] {
            let mut connection = host.connect().await;
            connection
                .send(&head_for(&signed(get()), "/orders?page=2", field, ""))
                .await;
            let status = connection.status().await;
            if host.server == Server::Actix && field.lines().count() != 1 && status == 400 {
                // Some versions of actix ask for one `Host` themselves.
                assert_eq!(host.refusals(), []);
                continue;
            }
            let expected_status = if expected.is_ok() { 200 } else { 401 };
            assert_eq!(status, expected_status, "{field}");
            assert_eq!(
                host.refusals(),
                expected.err().into_iter().collect::<Vec<_>>(),
                "{field}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_absolute_target_must_agree_with_host() {
    on_all_servers(async |host| {
        let mut connection = host.connect().await;
        for (target, field, status) in [
            (
                "https://host.example/orders?page=2",
                "host: host.example\r\n",
                200,
            ),
            (
                "https://host.example/orders?page=2",
                "host: other.example\r\n",
                401,
            ),
            (
                "https://other.example/orders?page=2",
                "host: host.example\r\n",
                401,
            ),
            (
                "https://user@host.example/orders?page=2",
                "host: host.example\r\n",
                401,
            ),
        ] {
            connection
                .send(&head_for(&signed(get()), target, field, ""))
                .await;
            assert_eq!(connection.status().await, status, "{target} {field}");
        }
        assert_eq!(
            host.refusals()[..2],
            [AuthErrorKind::ConflictingAuthority; 2]
        );
    })
    .await;
}

#[tokio::test]
async fn http_2_names_its_authority_in_the_target() {
    on_all_servers(async |host| {
        let mut http2 = host.http2().await;
        let listed = signed(get());
        let mut other = signed(get());
        *other.uri_mut() = "https://other.example/orders?page=2".parse().unwrap();
        let mut conflicting = signed(get());
        conflicting
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("other.example"));
        for (request, expected) in [
            (listed, None),
            (other, Some(AuthErrorKind::UnlistedAuthority)),
            (conflicting, Some(AuthErrorKind::ConflictingAuthority)),
        ] {
            let response = http2.send_request(request.map(Full::from)).await.unwrap();
            assert_eq!(
                response.status(),
                if expected.is_none() { 200 } else { 401 }
            );
            assert_eq!(host.refusals(), expected.into_iter().collect::<Vec<_>>());
        }
    })
    .await;
}

/// Forwards in origin form to `upstream`, as a proxy does that ends TLS.
async fn proxy(upstream: SocketAddr, keeps_host: bool) -> Host {
    let client = Client::builder(TokioExecutor::new()).build_http::<Incoming>();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let target = request.uri().path_and_query().unwrap();
        *request.uri_mut() = format!("http://{upstream}{target}").parse().unwrap();
        let headers = request.headers_mut();
        let host = if keeps_host {
            headers[HOST].clone()
        } else {
            HeaderValue::try_from(upstream.to_string()).unwrap()
        };
        for (name, value) in [
            ("x-forwarded-host", headers[HOST].clone()),
            ("via", HeaderValue::from_static("1.1 proxy")),
        ] {
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(HOST, host);
        client.request(request)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    Host {
        server: Server::Hyper,
        address,
        seen: Shared::default(),
    }
}

#[tokio::test]
async fn a_host_behind_a_proxy_knows_its_outer_names() {
    const WHOLE_URI: &str = r#"("@method" "@target-uri");created=1700000000"#;
    on_all_servers(async |host| {
        let outside = proxy(host.address, true).await;
        assert_eq!(outside.answer(&signed(get())).await.status, 200);
        assert_eq!(
            outside.answer(&signed_post("/orders", "12345")).await.body,
            "5"
        );
        assert_eq!(
            outside.answer(&signed_as(get(), WHOLE_URI)).await.status,
            200
        );

        // What a peer could write into forwarded headers counts for nothing.
        let outside = proxy(host.address, false).await;
        assert_eq!(outside.answer(&signed(get())).await.status, 401);
        assert_eq!(host.refusals(), [AuthErrorKind::UnlistedAuthority]);

        let host = Host::with(
            host.server,
            options().external_scheme(Scheme::Http),
            Duration::from_secs(60),
        )
        .await;
        let outside = proxy(host.address, true).await;
        assert_eq!(
            outside.answer(&signed_as(get(), WHOLE_URI)).await.status,
            401
        );
        assert_eq!(host.refusals(), [AuthErrorKind::WrongMac]);
    })
    .await;
}
