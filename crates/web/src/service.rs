//! A connection: HTTP/1.1 (RFC 9112) by hyper, with limits on time and size.

use crate::{
    app::{App, Desks},
    limits::{HEAD_FIELDS_MAX, HEAD_OCTETS_MAX, HEAD_TIME_MAX, IDLE_TIME_MAX, STOP_TIME_MAX},
    patience::Patient,
    routes,
};
use async_trait::async_trait;
use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use posta_runtime::Stream;
use posta_server::web::{WebHost, WebPeer, WebService};
use std::sync::Arc;
use tokio::sync::watch;
use tower_service::Service;

/// Serves all pages and the interface of one host.
pub struct Pages {
    router: Router,
}

impl Pages {
    /// For this host, with these desks.
    pub fn new(host: WebHost, desks: Arc<dyn Desks>) -> Self {
        Pages { router: routes::router(Arc::new(App::new(host, desks))) }
    }
}

#[async_trait]
impl WebService for Pages {
    async fn serve<'a>(
        &'a self,
        stream: Box<dyn Stream + 'a>,
        peer: WebPeer,
        mut stopping: watch::Receiver<bool>,
    ) {
        let answer = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(peer);
            let mut router = self.router.clone();
            async move { router.call(request).await }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_buf_size(HEAD_OCTETS_MAX)
            .max_headers(HEAD_FIELDS_MAX)
            .serve_connection(TokioIo::new(Patient::new(stream, IDLE_TIME_MAX)), answer);
        let mut connection = std::pin::pin!(connection);
        let stop = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stop => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(STOP_TIME_MAX, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            // Browsers leave without a word all the time.
            tracing::debug!(peer = %peer.address, %error, "an HTTP connection ended");
        }
    }
}
