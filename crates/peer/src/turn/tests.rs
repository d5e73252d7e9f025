//! The server over real sockets of loopback, with clients made of `turn-client-proto`.
#[path = "../../tests/relay/turn_client.rs"]
pub(super) mod turn_client;

use super::{
    credentials::{Credentials, User},
    peers::Peers,
    quota::{Pass, Way},
    server::{self, Shared},
    session::MAX_UNPROVEN,
    sockets,
};
use chats_core::{
    id::{DeviceKey, Wallet},
    time::{Duration, Time},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::UdpSocket;
use turn_client::{TurnClient, peer, received};
use zeroize::Zeroizing;

const ALICE: Wallet = Wallet([1; 20]);
const BOB: Wallet = Wallet([2; 20]);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// An address that is public and not this machine's.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4));

struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Server {
    /// On loopback; everything is allowed.
    async fn start() -> Self {
        Self::start_as(true, LOOPBACK).await
    }

    async fn start_as(dev: bool, external: IpAddr) -> Self {
        let (udp, tcp, address) = sockets("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let peers = Peers::new(dev, LOOPBACK, external, []);
        let credentials = Credentials::new(Zeroizing::new([7; 32]));
        let shared = Arc::new(Shared::new(LOOPBACK, external, peers, credentials));
        tokio::spawn(server::serve(Arc::clone(&shared), udp, tcp));
        Self { shared, address }
    }

    /// A credential that was issued so long ago.
    fn user(&self, wallet: Wallet, ago: Duration) -> User {
        let issued = Time(self.shared.now().0 - u64::try_from(ago.as_millis()).unwrap());
        let device = DeviceKey(std::array::from_fn(|n| wallet.0[n % 20]));
        self.shared.credentials().issue(device, wallet, issued).unwrap()
    }

    async fn client(&self, wallet: Wallet) -> TurnClient {
        let user = self.user(wallet, Duration::ZERO);
        TurnClient::udp(self.address, &user.name, &user.password).await
    }

    /// A client that has allocated.
    async fn allocated(&self, wallet: Wallet) -> (TurnClient, SocketAddr) {
        let mut client = self.client(wallet).await;
        let relayed = client.allocated().await;
        (client, relayed)
    }
}

#[tokio::test]
async fn a_client_and_an_ordinary_peer_hear_each_other() {
    let server = Server::start().await;
    let (mut client, relayed) = server.allocated(ALICE).await;
    assert_eq!(relayed.ip(), LOOPBACK);
    let (socket, address) = peer().await;
    client.permit(LOOPBACK).await.unwrap();
    client.send(address, b"from the client").await;
    assert_eq!(received(&socket).await, (relayed, b"from the client".to_vec()));
    socket.send_to(b"from the peer", relayed).await.unwrap();
    assert_eq!(client.receive().await, (address, b"from the peer".to_vec()));
    client.bind(address).await.unwrap();
    client.send(address, b"through a channel").await;
    assert_eq!(received(&socket).await, (relayed, b"through a channel".to_vec()));
    socket.send_to(b"and back", relayed).await.unwrap();
    assert_eq!(client.receive().await, (address, b"and back".to_vec()));
}

#[tokio::test]
async fn a_client_over_tcp_is_served_as_well() {
    let server = Server::start().await;
    let user = server.user(ALICE, Duration::ZERO);
    let mut client = TurnClient::tcp(server.address, &user.name, &user.password).await;
    let relayed = client.allocated().await;
    let (socket, address) = peer().await;
    client.bind(address).await.unwrap();
    for n in 1..=9 {
        let bytes = vec![n; usize::from(n)];
        client.send(address, &bytes).await;
        assert_eq!(received(&socket).await, (relayed, bytes.clone()));
        socket.send_to(&bytes, relayed).await.unwrap();
        assert_eq!(client.receive().await, (address, bytes));
    }
}

#[tokio::test]
async fn a_client_that_hides_its_name_is_served_and_its_peers_are_looked_at_too() {
    let server = Server::start_as(false, PUBLIC).await;
    let user = server.user(ALICE, Duration::ZERO);
    let mut client = TurnClient::udp_hidden(server.address, &user.name, &user.password).await;
    client.allocated().await;
    assert_eq!(client.permit("1.1.1.1".parse().unwrap()).await, Ok(()));
    assert_eq!(client.permit(LOOPBACK).await, Err(403));
}

#[tokio::test]
async fn two_clients_reach_each_other_by_the_public_address_of_a_translated_machine() {
    let server = Server::start_as(false, PUBLIC).await;
    let (mut alice, of_alice) = server.allocated(ALICE).await;
    let (mut bob, of_bob) = server.allocated(BOB).await;
    assert_eq!((of_alice.ip(), of_bob.ip()), (PUBLIC, PUBLIC));
    alice.permit(PUBLIC).await.unwrap();
    bob.bind(of_alice).await.unwrap();
    bob.send(of_alice, b"to alice").await;
    assert_eq!(alice.receive().await, (of_bob, b"to alice".to_vec()));
    alice.send(of_bob, b"to bob").await;
    assert_eq!(bob.receive().await, (of_alice, b"to bob".to_vec()));
}

#[tokio::test]
async fn denied_peers_are_refused_with_403() {
    let server = Server::start_as(false, PUBLIC).await;
    let (mut client, _) = server.allocated(ALICE).await;
    for denied in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"] {
        let ip = denied.parse().unwrap();
        assert_eq!(client.permit(ip).await, Err(403), "{denied}");
        assert_eq!(client.bind(SocketAddr::new(ip, 22)).await, Err(403), "{denied}");
    }
    assert_eq!(client.permit("1.1.1.1".parse().unwrap()).await, Ok(()));
}

#[tokio::test]
async fn of_the_servers_own_ports_only_allocations_are_reached() {
    let server = Server::start_as(false, PUBLIC).await;
    let (mut alice, of_alice) = server.allocated(ALICE).await;
    let (mut bob, of_bob) = server.allocated(BOB).await;
    alice.permit(PUBLIC).await.unwrap();
    bob.permit(PUBLIC).await.unwrap();
    // A service of the machine, as it would be reached through the allocation's own address.
    let (service, address) = peer().await;
    alice.send(SocketAddr::new(PUBLIC, address.port()), b"for the service").await;
    alice.send(of_bob, b"for bob").await;
    assert_eq!(bob.receive().await, (of_alice, b"for bob".to_vec()));
    let mut buffer = [0; 100];
    let error = service.try_recv_from(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it was sent before what arrived");
}

#[tokio::test]
async fn expired_wrong_and_unknown_credentials_are_refused_with_401() {
    let server = Server::start().await;
    let good = server.user(ALICE, Duration::ZERO);
    let expired = server.user(BOB, Duration::from_secs(3600));
    let unknown = format!("{}:{}", good.expires.secs(), DeviceKey([9; 32]));
    for (name, password) in [
        (&expired.name, &expired.password),
        (&good.name, &expired.password),
        (&unknown, &good.password),
        (&"name".to_owned(), &"password".to_owned()),
    ] {
        let mut client = TurnClient::udp(server.address, name, password).await;
        assert_eq!(client.refused().await, 401, "{name}");
    }
    assert!(server.shared.allocated().is_empty());
}

#[tokio::test]
async fn an_allocation_ends_with_its_credential() {
    let server = Server::start().await;
    let user = server.user(ALICE, Duration::from_secs(3592));
    let mut client = TurnClient::udp(server.address, &user.name, &user.password).await;
    let relayed = client.allocated().await;
    let (socket, _) = peer().await;
    let begun = std::time::Instant::now();
    // Its port is free again.
    while UdpSocket::bind(relayed).await.is_err() {
        assert!(begun.elapsed().as_secs() < 30);
        socket.send_to(b"still there?", relayed).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(server.shared.allocated().is_empty());
    assert!(server.shared.now() >= user.expires);
}

#[tokio::test]
async fn an_allocation_outlives_its_credential_if_the_device_is_granted_another_one_before() {
    let server = Server::start().await;
    let user = server.user(ALICE, Duration::from_secs(3597));
    let mut client = TurnClient::udp(server.address, &user.name, &user.password).await;
    let relayed = client.allocated().await;
    let (socket, address) = peer().await;
    client.bind(address).await.unwrap();
    let renewed = server.user(ALICE, Duration::from_secs(3592));
    let (first, second) = (user.expires, renewed.expires);
    assert!(first < second);
    let begun = std::time::Instant::now();
    while server.shared.now() <= first {
        assert!(begun.elapsed().as_secs() < 30);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What the client asks for under the old name is done, too.
    assert_eq!(client.permit("127.0.0.2".parse().unwrap()).await, Ok(()));
    client.send(address, b"still there").await;
    assert_eq!(received(&socket).await, (relayed, b"still there".to_vec()));
    socket.send_to(b"and back", relayed).await.unwrap();
    assert_eq!(client.receive().await, (address, b"and back".to_vec()));
    // It ends with the one that was granted last.
    while UdpSocket::bind(relayed).await.is_err() {
        assert!(begun.elapsed().as_secs() < 60);
        socket.send_to(b"still there?", relayed).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(server.shared.now() >= second);
}

#[tokio::test]
async fn what_is_sent_too_fast_is_dropped() {
    let server = Server::start().await;
    let (mut client, _) = server.allocated(ALICE).await;
    let (socket, address) = peer().await;
    client.bind(address).await.unwrap();
    let begun = server.shared.now();
    let count = tokio::spawn(async move {
        let mut count = 0;
        while received(&socket).await.1[0] != 0 {
            count += 1;
        }
        count
    });
    for _ in 0..1000 {
        client.send(address, &[1; 1000]).await;
        // Gives the server, on the same thread, its turn.
        tokio::task::yield_now().await;
    }
    let until = server.shared.now();
    // The last one passes once there is room again.
    let end = async {
        loop {
            client.send(address, &[0; 1000]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let count: u64 = tokio::select! {
        count = count => count.unwrap(),
        () = end => unreachable!(),
    };
    let most = 125 + until.since(begun).as_millis() as u64 / 8 + 1;
    assert!((100..=most).contains(&count), "{count} of at most {most} datagrams passed");
    assert!(count < 1000);
}

#[tokio::test]
async fn who_has_used_up_the_day_is_let_go_and_not_admitted_again() {
    let server = Server::start().await;
    let (mut client, relayed) = server.allocated(ALICE).await;
    let (socket, address) = peer().await;
    client.bind(address).await.unwrap();
    let mut now = server.shared.now();
    while server.shared.quotas().pass(ALICE, LOOPBACK, Way::In, 125_000, now) == Pass::Yes {
        now = now + Duration::from_secs(1);
    }
    client.send(address, b"one too many").await;
    let begun = std::time::Instant::now();
    while UdpSocket::bind(relayed).await.is_err() {
        assert!(begun.elapsed().as_secs() < 30, "the allocation is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut again = server.client(ALICE).await;
    assert_eq!(again.refused().await, 508);
    let mut buffer = [0; 100];
    assert!(socket.try_recv_from(&mut buffer).is_err(), "it did not arrive");
}

#[tokio::test]
async fn a_wallet_has_64_allocations_and_gets_them_back() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(server.allocated(ALICE).await);
    }
    assert_eq!(server.client(ALICE).await.refused().await, 508);
    assert_eq!(server.shared.allocated().len(), 64);
    let (mut last, relayed) = clients.pop().unwrap();
    last.delete().await;
    let begun = std::time::Instant::now();
    while server.shared.allocated().contains(&relayed.port()) {
        assert!(begun.elapsed().as_secs() < 30);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.allocated(ALICE).await;
}

#[tokio::test]
async fn nonsense_from_strangers_and_members_harms_nobody() {
    let server = Server::start().await;
    let (mut member, _) = server.allocated(ALICE).await;
    let (socket, address) = peer().await;
    member.bind(address).await.unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let valid: Vec<Vec<u8>> = turn_client::samples();
    for round in 0..3000 {
        let mut bytes = valid[rng.random_range(0..valid.len())].clone();
        for _ in 0..rng.random_range(0..6) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        if rng.random_bool(0.2) {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        stranger.send_to(&bytes, server.address).await.unwrap();
        member.send_raw(&bytes).await;
        if round % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    still_served(&mut member, &socket).await;
    server.allocated(BOB).await;
}

#[tokio::test]
async fn signed_nonsense_from_a_member_does_not_end_its_session() {
    let server = Server::start().await;
    let user = server.user(ALICE, Duration::ZERO);
    let mut member = TurnClient::udp(server.address, &user.name, &user.password).await;
    member.allocated().await;
    let (socket, address) = peer().await;
    member.bind(address).await.unwrap();
    let mut rng = SmallRng::seed_from_u64(2);
    // Every method but the one by which a member may end its session, REFRESH.
    let methods = [1, 3, 6, 7, 8, 9, 10, 11, 12, 0xfff];
    // What TURN knows, and what it does not.
    let kinds = [
        0x01, 0x09, 0x0a, 0x0c, 0x0d, 0x12, 0x13, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1d, 0x1e, 0x20,
        0x22, 0x2a, 0x7777, 0x8000, 0x8001, 0x8002, 0x8004, 0x8022, 0xffff,
    ];
    for round in 0..5000 {
        let attributes: Vec<_> = (0..rng.random_range(0..5))
            .map(|_| {
                let length = *[0, 1, 2, 4, 8, 20, 32].get(rng.random_range(0..7)).unwrap();
                let mut content = vec![0; length];
                rng.fill(&mut content[..]);
                if rng.random_bool(0.5) && length > 1 {
                    // The families of addresses.
                    (content[0], content[1]) = (0, rng.random_range(1..3));
                }
                (kinds[rng.random_range(0..kinds.len())], content)
            })
            .collect();
        let method = methods[rng.random_range(0..methods.len())];
        let nonce = member.nonce.clone();
        let request = turn_client::signed(method, &attributes, &user.name, &user.password, &nonce);
        member.send_raw(&request).await;
        if round % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    still_served(&mut member, &socket).await;
}

#[tokio::test]
async fn who_does_not_prove_to_be_there_is_answered_a_few_times_and_then_no_more() {
    let server = Server::start().await;
    let (stranger, _) = peer().await;
    let samples = turn_client::samples();
    let (mut answers, mut silent) = (0, 0);
    let mut buffer = [0; 2000];
    // One after the other, so that none is lost on the way; requests for the own address count too.
    for request in [&samples[2], &samples[1]].into_iter().cycle().take(100) {
        stranger.send_to(request, server.address).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_millis(200), stranger.recv(&mut buffer));
        match answer.await {
            Ok(answer) => answer.map(|_| (answers, silent) = (answers + 1, 0)).unwrap(),
            Err(_) => silent += 1,
        }
        if silent == 5 {
            break;
        }
    }
    assert!((4..=MAX_UNPROVEN).contains(&answers), "{answers}");
    // Another one is served meanwhile.
    server.allocated(ALICE).await;
}

/// Waits until what a member sends reaches its peer.
async fn still_served(member: &mut TurnClient, peer: &UdpSocket) {
    let (address, end) = (peer.local_addr().unwrap(), b"after all that");
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed().as_secs() < 30, "the member's session is gone");
        member.send(address, end).await;
        let mut buffer = [0; 2000];
        let got = tokio::time::timeout(Duration::from_millis(200), peer.recv(&mut buffer)).await;
        if let Ok(Ok(length)) = got
            && &buffer[..length] == end
        {
            return;
        }
    }
}
