//! `wss` with a certificate from files.

use crate::{
    hostile::Hostile,
    process::{PATIENCE, RelayProcess, fails, text},
};
use chats_core::{id::MeetTag, wire};
use chats_net::{
    Multiaddr, Protocol, frame,
    meet::{MAX_FRAME, PROTOCOL, Reply, Request},
    tls::rustls::{
        self, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};
use libp2p::Stream as Libp2pStream;
use rcgen::CertifiedKey;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use tokio::{task::spawn_blocking, time::timeout};

const WSS: &str = "/ip4/127.0.0.1/tcp/0/tls/ws";

/// A certificate for loopback that signs itself.
pub fn pair() -> CertifiedKey {
    rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap()
}

/// A folder with a certificate and its key.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn of(pair: &CertifiedKey) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(files.cert(), pair.cert.pem()).unwrap();
        fs::write(files.key(), pair.key_pair.serialize_pem()).unwrap();
        files
    }

    fn cert(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// Puts a file in place as a whole, as certbot does.
    fn replace(&self, path: &Path, content: &str) {
        let new = self.dir.path().join("new");
        fs::write(&new, content).unwrap();
        fs::rename(new, path).unwrap();
    }

    async fn relay(&self) -> RelayProcess {
        let (cert, key) = (self.cert(), self.key());
        let args = ["--tls-cert", text(&cert), "--tls-key", text(&key)];
        RelayProcess::start_with(&[WSS], &args).await
    }
}

/// Takes any certificate: the tests look at what they got.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("the relay speaks TLS 1.3")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The port of an address.
pub fn port(addr: &Multiaddr) -> u16 {
    let port = addr.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    port.unwrap()
}

/// The certificate that a new handshake shows and those above it, or why there was none.
pub async fn shown(port: u16, name: &'static str) -> Result<Vec<Vec<u8>>, std::io::Error> {
    let handshake = move || {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Any))
            .with_no_client_auth();
        let name = ServerName::try_from(name).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        let chain = connection.peer_certificates().unwrap();
        Ok(chain.iter().map(|cert| cert.to_vec()).collect())
    };
    spawn_blocking(handshake).await.unwrap()
}

/// Handshakes until the certificate is one that `wanted` takes.
pub async fn shows(port: u16, name: &'static str, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let begun = Instant::now();
    loop {
        let last = shown(port, name).await;
        match last {
            Ok(chain) if wanted(&chain[0]) => return chain,
            other => assert!(begun.elapsed() < PATIENCE, "at last: {other:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Enters a tag, which shows that a connection stands.
pub async fn enter(stream: &mut Libp2pStream, tag: u8) {
    let tag = MeetTag([tag; 32]);
    let request = wire::encode(&Request::Enter(tag));
    frame::write(stream, &request, MAX_FRAME).await.unwrap();
    let reply = timeout(PATIENCE, frame::read(stream, MAX_FRAME)).await.unwrap();
    let reply = wire::decode::<Reply>("reply", &reply.unwrap().unwrap()).unwrap();
    assert_eq!(reply, Reply::Present(tag, vec![]));
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_and_open_connections_go_on() {
    let (old, new) = (pair(), pair());
    let files = Files::of(&old);
    let relay = files.relay().await;
    let addr = relay.ws();
    assert!(addr.to_string().contains("/tls/ws/p2p/"), "{addr}");
    assert_eq!(shown(port(&addr), "127.0.0.1").await.unwrap(), [old.cert.der().to_vec()]);
    let mut peer = Hostile::connect_tls(&addr, old.cert.der()).await;
    let mut stream = peer.open(PROTOCOL).await;
    enter(&mut stream, 1).await;
    files.replace(&files.cert(), &new.cert.pem());
    files.replace(&files.key(), &new.key_pair.serialize_pem());
    shows(port(&addr), "127.0.0.1", |cert| *cert == **new.cert.der()).await;
    enter(&mut stream, 2).await;
    assert!(peer.is_connected());
    let mut other = Hostile::connect_tls(&addr, new.cert.der()).await;
    enter(&mut other.open(PROTOCOL).await, 3).await;
}

#[tokio::test]
async fn a_certificate_without_its_key_changes_nothing_until_the_key_is_there() {
    let (old, new) = (pair(), pair());
    let files = Files::of(&old);
    let mut relay = files.relay().await;
    let port = port(&relay.ws());
    files.replace(&files.cert(), &new.cert.pem());
    let line = relay.logs("the old certificate stays in use").await;
    assert!(line.contains(text(&files.cert())) && line.contains(text(&files.key())), "{line}");
    assert_eq!(shown(port, "127.0.0.1").await.unwrap(), [old.cert.der().to_vec()]);
    files.replace(&files.key(), &new.key_pair.serialize_pem());
    shows(port, "127.0.0.1", |cert| *cert == **new.cert.der()).await;
}

#[tokio::test]
async fn unusable_files_are_named_with_what_is_wrong() {
    let (one, two) = (pair(), pair());
    let files = Files::of(&one);
    let (cert, key) = (files.cert(), files.key());
    let refused = async |why: &str| {
        let args = ["relay", "--listen", WSS, "--tls-cert", text(&cert), "--tls-key", text(&key)];
        let (code, stderr) = fails(&args).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(why), "{why}: {stderr}");
    };
    files.replace(&key, &two.key_pair.serialize_pem());
    refused("cannot be used together").await;
    files.replace(&key, "");
    refused("key.pem holds no private key in PEM form").await;
    files.replace(&cert, "hello");
    refused("cert.pem holds no certificate in PEM form").await;
    fs::remove_file(&cert).unwrap();
    refused("cert.pem: No such file").await;
}

#[tokio::test]
async fn who_does_not_speak_tls_or_says_nothing_is_let_go_and_others_are_served() {
    let files = Files::of(&pair());
    let relay = files.relay().await;
    let port = port(&relay.ws());
    let closed = |first_words: &'static [u8]| {
        spawn_blocking(move || {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.write_all(first_words).unwrap();
            let mut answer = Vec::new();
            // An end, or a reset: not the end of our patience.
            match socket.read_to_end(&mut answer) {
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock),
                Ok(_) => assert!(!answer.starts_with(b"HTTP"), "{answer:?}"),
            }
        })
    };
    let silent = closed(b"");
    closed(b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\r\n").await.unwrap();
    assert!(shown(port, "127.0.0.1").await.is_ok());
    silent.await.unwrap();
}
