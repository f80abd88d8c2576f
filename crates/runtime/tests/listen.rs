//! The accept loop on a real socket.

use bytes::Bytes;
use posta_runtime::{Admission, PeerLimits, Peers, Refusal, Service, SystemClock, bind, listen};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Greets, then keeps the connection until the peer goes.
struct Greeter;

impl Service for Greeter {
    fn serve(&self, mut stream: TcpStream, _peer: SocketAddr, admission: Admission) {
        tokio::spawn(async move {
            stream.write_all(b"hello").await.expect("written");
            let _ = stream.read_u8().await;
            drop(stream);
            drop(admission);
        });
    }
    fn refuse(&self, _peer: SocketAddr, refusal: Refusal) -> Bytes {
        Bytes::from(format!("{refusal:?}"))
    }
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 64];
    let count = stream.read(&mut buffer).await.expect("read");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so_and_places_come_back() {
    let limits = PeerLimits {
        connections_max: 10,
        connections_per_address_max: 1,
        failures_per_address_max: 5,
        failures_window: Duration::from_secs(60),
    };
    let socket = bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let address = socket.local_addr().expect("bound");
    let (stop, stopping) = watch::channel(false);
    let peers = Peers::new(limits);
    let listener = TcpListener::from_std(socket).expect("a listener");
    let accepting =
        tokio::spawn(listen(listener, peers.clone(), Arc::new(Greeter), Arc::new(SystemClock), stopping));

    let mut first = TcpStream::connect(address).await.expect("connected");
    assert_eq!(read_some(&mut first).await, "hello");
    let mut second = TcpStream::connect(address).await.expect("connected");
    assert_eq!(read_some(&mut second).await, "AddressConnections");
    drop(first);
    while peers.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut third = TcpStream::connect(address).await.expect("connected");
    assert_eq!(read_some(&mut third).await, "hello");

    stop.send(true).expect("someone listens");
    accepting.await.expect("ends");
    assert!(TcpStream::connect(address).await.is_err());
}
