//! `/chats/turn/1` and the TURN server behind it.

use crate::{
    chain::Chain,
    hostile::{Hostile, ends},
    process::{PATIENCE, RelayProcess, fails, text},
    turn_client::{TurnClient, peer, received},
};
use chats_core::{
    access::Role,
    certificate::DeviceCertificate,
    fixtures::{COMMUNITY, TestWallet, certificate},
    hello::Hello,
    id::DeviceSecret,
    time::{Duration, Time},
    turn::{MAX_FRAME, PROTOCOL, TurnAnswer, TurnGrant, TurnRefusal},
    wire,
};
use chats_net::frame;
use futures::{AsyncWriteExt, StreamExt, stream::FuturesUnordered};
use std::{fs, net::SocketAddr, time::SystemTime};
use tokio::time::timeout;

const WS: &str = "/ip4/127.0.0.1/tcp/0/ws";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";

fn now() -> Time {
    Time::default() + SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// A relay whose TURN server lets everything through, for the community of `chain`.
async fn relay(chain: &Chain) -> RelayProcess {
    with_config(chain, &["--dev"]).await
}

async fn with_config(chain: &Chain, more: &[&str]) -> RelayProcess {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    fs::write(&config, &chain.config).unwrap();
    let args = ["--config", text(&config), "--turn", "127.0.0.1:0"];
    RelayProcess::start_with(&[WS, TCP], &[&args, more].concat()).await
}

/// Where the TURN server says it is.
fn address(relay: &RelayProcess) -> SocketAddr {
    let turn = relay.printed.iter().find(|(what, _)| what == "turn");
    turn.expect("the relay prints where TURN is").1.parse().unwrap()
}

fn hello(certificate: DeviceCertificate) -> Hello {
    Hello { certificate, community: COMMUNITY.id, version: 0, time: now() }
}

/// A connection of the device with this seed, and its secret.
async fn device(relay: &RelayProcess, seed: u8) -> (Hostile, DeviceSecret) {
    let secret = DeviceSecret::from_seed(&[seed; 32]);
    (Hostile::connect_as(&relay.tcp(), &secret).await, secret)
}

/// Asks with these bytes.
async fn ask_with(device: &mut Hostile, request: &[u8]) -> TurnAnswer {
    let mut stream = device.open(PROTOCOL).await;
    frame::write(&mut stream, request, MAX_FRAME).await.unwrap();
    let answer = timeout(PATIENCE, frame::read(&mut stream, MAX_FRAME)).await.unwrap().unwrap();
    let answer = TurnAnswer::read(&answer.expect("an answer before the end")).unwrap();
    assert!(ends(stream).await, "nothing follows");
    answer
}

async fn ask(device: &mut Hostile, hello: &Hello) -> TurnAnswer {
    ask_with(device, &wire::encode(hello)).await
}

async fn granted(relay: &RelayProcess, wallet: &TestWallet, seed: u8) -> TurnGrant {
    let (mut device, secret) = device(relay, seed).await;
    match ask(&mut device, &hello(certificate(wallet, &secret, now()))).await {
        TurnAnswer::Granted(grant) => grant,
        refused => panic!("{refused:?}"),
    }
}

async fn client(relay: &RelayProcess, wallet: &TestWallet, seed: u8) -> TurnClient {
    let grant = granted(relay, wallet, seed).await;
    TurnClient::udp(address(relay), &grant.username, &grant.credential).await
}

#[tokio::test]
async fn two_members_get_credentials_and_reach_each_other_through_the_relay() {
    let (alice, bob) = (TestWallet::new(1), TestWallet::new(2));
    let chain = Chain::start(&[&alice, &bob]).await;
    let relay = relay(&chain).await;
    let place = address(&relay);
    let grant = granted(&relay, &alice, 1).await;
    let urls = [
        format!("stun:{place}"),
        format!("turn:{place}?transport=udp"),
        format!("turn:{place}?transport=tcp"),
    ];
    assert_eq!(grant.urls, urls);
    assert!((3590..=3600).contains(&grant.lasts), "{grant:?}");
    let (expires, device) = grant.username.split_once(':').unwrap();
    assert_eq!(device, DeviceSecret::from_seed(&[1; 32]).device().to_string());
    assert!(expires.parse::<u64>().unwrap() <= now().secs() + 3600);
    let mut one = TurnClient::udp(place, &grant.username, &grant.credential).await;
    let mut two = client(&relay, &bob, 2).await;
    let (of_one, of_two) = (one.allocated().await, two.allocated().await);
    one.permit(of_two.ip()).await.unwrap();
    two.bind(of_one).await.unwrap();
    two.send(of_one, b"from two").await;
    assert_eq!(one.receive().await, (of_two, b"from two".to_vec()));
    one.send(of_two, b"from one").await;
    assert_eq!(two.receive().await, (of_one, b"from one".to_vec()));
    let (outside, address) = peer().await;
    one.send(address, b"to one who has no relay").await;
    assert_eq!(received(&outside).await, (of_one, b"to one who has no relay".to_vec()));
}

#[tokio::test]
async fn those_who_are_not_members_are_refused() {
    let (member, stranger) = (TestWallet::new(1), TestWallet::new(9));
    let chain = Chain::start(&[&member]).await;
    let relay = relay(&chain).await;
    let (mut device, secret) = device(&relay, 9).await;
    let theirs = certificate(&stranger, &secret, now());
    let answer = ask(&mut device, &hello(theirs)).await;
    assert_eq!(answer, TurnAnswer::Refused(TurnRefusal::NotAMember));
    chain.set(&[member.address()], Role::Banned);
    let banned = certificate(&member, &secret, now());
    let answer = ask(&mut device, &hello(banned)).await;
    assert_eq!(answer, TurnAnswer::Refused(TurnRefusal::NotAMember));
}

#[tokio::test]
async fn certificates_that_do_not_count_are_refused() {
    let member = TestWallet::new(1);
    let chain = Chain::start(&[&member]).await;
    let relay = relay(&chain).await;
    let (mut device, secret) = device(&relay, 1).await;
    let other = DeviceSecret::from_seed(&[2; 32]);
    let ago = |days: u64| Time(now().0 - days * 24 * 3600 * 1000);
    let stolen = certificate(&member, &other, now());
    let expired = certificate(&member, &secret, ago(31));
    let mut forged = certificate(&member, &secret, now());
    forged.wallet_signature = TestWallet::new(9).sign(&forged.statement.text());
    let (kind, signature) = (forged.kind, forged.wallet_signature.clone());
    let forged = forged.statement.certify(kind, signature, &secret);
    let mut tampered = certificate(&member, &secret, now());
    tampered.statement.expires += 1;
    for wrong in [stolen, expired, forged, tampered] {
        let answer = ask(&mut device, &hello(wrong)).await;
        assert_eq!(answer, TurnAnswer::Refused(TurnRefusal::Certificate));
    }
    let good = certificate(&member, &secret, now());
    let elsewhere = Hello { community: 2, ..hello(good) };
    let answer = ask(&mut device, &elsewhere).await;
    assert_eq!(answer, TurnAnswer::Refused(TurnRefusal::OtherCommunity));
}

#[tokio::test]
async fn requests_that_are_none_are_refused_and_the_relay_goes_on() {
    let member = TestWallet::new(1);
    let chain = Chain::start(&[&member]).await;
    let relay = relay(&chain).await;
    let (mut device, secret) = device(&relay, 1).await;
    let good = wire::encode(&hello(certificate(&member, &secret, now())));
    let malformed = TurnAnswer::Refused(TurnRefusal::Malformed);
    for cut in (0..good.len()).step_by(7) {
        assert_eq!(ask_with(&mut device, &good[..cut]).await, malformed, "{cut}");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(ask_with(&mut device, &longer).await, malformed);
    let stream = device.write(PROTOCOL, &[0xff, 0xff, 0x7f]).await;
    assert!(ends(stream).await, "a frame that is too long");
    assert!(matches!(ask_with(&mut device, &good).await, TurnAnswer::Granted(_)));
}

#[tokio::test]
async fn who_asks_twice_at_once_is_disconnected_and_who_asks_nothing_is_let_go() {
    let chain = Chain::start(&[]).await;
    let relay = relay(&chain).await;
    let mut silent = Hostile::connect(&relay.tcp()).await;
    let mut greedy = Hostile::connect(&relay.tcp()).await;
    // A stream is opened once something is said on it.
    let waiting = silent.write(PROTOCOL, &[0x05]).await;
    let _first = greedy.write(PROTOCOL, &[0x05]).await;
    // The connection may be closed before this end has heard that the stream is open.
    let second = greedy.try_open(PROTOCOL).await;
    if let Some(mut second) = second {
        let _ = second.write_all(&[0x05]).await;
        let _ = second.flush().await;
    }
    greedy.closed().await;
    assert!(ends(waiting).await);
    assert!(silent.is_connected());
}

#[tokio::test]
async fn at_one_address_eight_may_ask_at_once() {
    let chain = Chain::start(&[]).await;
    let relay = relay(&chain).await;
    let mut devices = Vec::new();
    for _ in 0..9 {
        devices.push(Hostile::connect(&relay.tcp()).await);
    }
    let mut asking = FuturesUnordered::new();
    for device in &mut devices {
        asking.push(async {
            // One may be refused before it has said anything.
            let Some(mut stream) = device.try_open(PROTOCOL).await else { return true };
            // A frame of which the rest never comes: all but one are waited for, for 10 s.
            let _ = stream.write_all(&[0x05]).await;
            let _ = stream.flush().await;
            ends(stream).await
        });
    }
    assert_eq!(asking.next().await, Some(true));
    let first = std::time::Instant::now();
    assert_eq!(asking.next().await, Some(true));
    assert!(first.elapsed() > Duration::from_secs(2), "{:?}", first.elapsed());
    drop(asking);
    assert!(devices.iter().all(Hostile::is_connected));
}

#[tokio::test]
async fn while_the_chain_is_silent_nobody_new_is_let_in() {
    let member = TestWallet::new(1);
    let mut chain = Chain::start(&[&member]).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", silent.local_addr().unwrap());
    chain.config = chain.config.replace(&chain.url, &nobody);
    let relay = relay(&chain).await;
    let (mut device, secret) = device(&relay, 1).await;
    let answer = ask(&mut device, &hello(certificate(&member, &secret, now()))).await;
    assert_eq!(answer, TurnAnswer::Refused(TurnRefusal::Undecided));
}

#[tokio::test]
async fn without_dev_loopback_is_denied() {
    let member = TestWallet::new(1);
    let chain = Chain::start(&[&member]).await;
    // An address that is public and not this machine's.
    let relay = with_config(&chain, &["--turn-external", "8.8.4.4"]).await;
    let outside = address(&relay);
    assert_eq!(outside.ip().to_string(), "8.8.4.4");
    let grant = granted(&relay, &member, 1).await;
    assert_eq!(grant.urls[0], format!("stun:{outside}"));
    let inside = SocketAddr::new([127, 0, 0, 1].into(), outside.port());
    let mut client = TurnClient::udp(inside, &grant.username, &grant.credential).await;
    assert_eq!(client.allocated().await.ip(), outside.ip());
    assert_eq!(client.permit([127, 0, 0, 1].into()).await, Err(403));
    assert_eq!(client.permit([192, 168, 0, 1].into()).await, Err(403));
    assert_eq!(client.bind("169.254.169.254:80".parse().unwrap()).await, Err(403));
}

#[tokio::test]
async fn a_configuration_can_be_fetched_from_the_page() {
    let member = TestWallet::new(1);
    let chain = Chain::start(&[&member]).await;
    let url = format!("{}/config.json", chain.url);
    let args = ["--config", &url, "--turn", "127.0.0.1:0", "--dev"];
    let relay = RelayProcess::start_with(&[WS, TCP], &args).await;
    assert!(granted(&relay, &member, 1).await.lasts > 3500);
}

#[tokio::test]
async fn without_a_configuration_there_is_no_turn() {
    let relay = RelayProcess::start().await;
    assert_eq!(relay.printed, []);
    let mut device = Hostile::connect(&relay.tcp()).await;
    assert!(device.try_open(PROTOCOL).await.is_none());
}

#[tokio::test]
async fn configurations_and_addresses_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    fs::write(&config, r#"{ "version": 1, "name": "x", "community": 1 }"#).unwrap();
    let missing = dir.path().join("missing.json");
    let taken = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let chain = Chain::start(&[]).await;
    let page = format!("{}/config.json", chain.url);
    for (config, turn, why) in [
        (text(&config), "127.0.0.1:0", "\"community\" is 1, but the community's number as text"),
        (text(&missing), "127.0.0.1:0", "missing.json: No such file"),
        ("http://127.0.0.1:1/config.json", "127.0.0.1:0", "http://127.0.0.1:1/config.json: "),
        (&page, &taken, "in use"),
    ] {
        let args = ["relay", "--listen", WS, "--config", config, "--turn", turn, "--dev"];
        let (code, stderr) = fails(&args).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(why), "{why}: {stderr}");
    }
}

#[tokio::test]
async fn a_member_is_known_for_a_minute_without_asking_the_chain_again() {
    let member = TestWallet::new(1);
    let chain = Chain::start(&[&member]).await;
    let relay = relay(&chain).await;
    let first = granted(&relay, &member, 1).await;
    chain.set(&[member.address()], Role::None);
    let begun = std::time::Instant::now();
    let second = granted(&relay, &member, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(50), "too slow to tell");
    assert!(second.username >= first.username);
}
