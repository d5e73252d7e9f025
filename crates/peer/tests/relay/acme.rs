//! `wss` with a certificate from an ACME server: Debian's `pebble`, which tests ACME clients.

use crate::{
    hostile::Hostile,
    process::{PATIENCE, RelayProcess, chats, lines, text},
    tls::{enter, pair, port, shown, shows},
};
use chats_net::meet::PROTOCOL;
use std::{
    fs,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};
use tokio::process::{Child, Command};

const DOMAIN: &str = "relay.example.org";

/// An ACME server on loopback that finds every name there.
struct Pebble {
    dir: tempfile::TempDir,
    _dns: Child,
    server: Child,
    /// Its directory.
    url: String,
    /// Where it looks for the proof.
    proof: u16,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(program: &str, args: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
    command.env("PEBBLE_AUTHZREUSE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let found = command.spawn();
    let mut child = found.unwrap_or_else(|_| panic!("{program}: apt-get install pebble"));
    drop(lines(child.stdout.take().unwrap()));
    drop(lines(child.stderr.take().unwrap()));
    child
}

impl Pebble {
    /// Its certificates last for so many seconds.
    async fn start(validity: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = pair();
        let file = |name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let cert = file("cert.pem", &own.cert.pem());
        let key = file("key.pem", &own.key_pair.serialize_pem());
        let (api, management, proof) = (free_port(), free_port(), free_port());
        let config = format!(
            r#"{{ "pebble": {{
                "listenAddress": "127.0.0.1:{api}",
                "managementListenAddress": "127.0.0.1:{management}",
                "certificate": "{}", "privateKey": "{}",
                "httpPort": 1, "tlsPort": {proof},
                "certificateValidityPeriod": {validity} }} }}"#,
            text(&cert),
            text(&key),
        );
        let config = file("pebble.json", &config);
        let dns = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let names = ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", dns.as_str()];
        let nothing = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", ""];
        let dns_server = spawn("pebble-challtestsrv", &[names.as_slice(), &nothing].concat());
        let server = spawn("pebble", &["-config", text(&config), "-dnsserver", &dns]);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", api)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "pebble does not start");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let url = format!("https://127.0.0.1:{api}/dir");
        Self { dir, _dns: dns_server, server, url, proof }
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("relay.key")
    }

    async fn relay(&self) -> RelayProcess {
        let (key, listen) = (self.key(), format!("/ip4/127.0.0.1/tcp/{}/tls/ws", self.proof));
        let mut command = chats(&["relay", "--listen", &listen, "--key", text(&key)]);
        command.args(["--domain", DOMAIN, "--acme-directory", &self.url]);
        command.args(["--acme-contact", "operator@example.org"]);
        command.env("SSL_CERT_FILE", self.dir.path().join("cert.pem"));
        RelayProcess::start_by(command, &[&listen]).await
    }
}

/// Whether a certificate names the domain; it holds names as they are.
fn names_domain(cert: &[u8]) -> bool {
    cert.windows(DOMAIN.len()).any(|part| part == DOMAIN.as_bytes())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_certificate_is_fetched_for_the_domain_and_kept_for_the_next_start() {
    let mut pebble = Pebble::start(3600).await;
    let mut relay = pebble.relay().await;
    let port = port(&relay.ws());
    let cert = shows(port, DOMAIN, names_domain).await;
    let peer = relay.ws().iter().last().unwrap().acquire();
    let external = format!("/dns4/{DOMAIN}/tcp/443/tls/ws{peer}");
    assert_eq!(relay.printed, [("external".to_owned(), external)]);
    relay.logs("a new certificate is in place").await;
    let mut folder = pebble.key().into_os_string();
    folder.push(".acme");
    assert_eq!(mode(Path::new(&folder)), 0o700);
    let begun = Instant::now();
    while fs::read_dir(&folder).unwrap().count() < 2 {
        assert!(begun.elapsed() < PATIENCE, "account and certificate are not both kept");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    relay.signal("-TERM").await;
    pebble.server.kill().await.unwrap();
    let _relay = pebble.relay().await;
    assert_eq!(shows(port, DOMAIN, names_domain).await, cert);
}

#[tokio::test]
async fn a_certificate_is_renewed_before_its_end_while_connections_stand() {
    let pebble = Pebble::start(21).await;
    let relay = pebble.relay().await;
    let port = port(&relay.ws());
    let first = shows(port, DOMAIN, names_domain).await;
    let addr = relay.ws().to_string().replace("/tls/ws/", &format!("/tls/sni/{DOMAIN}/ws/"));
    let mut peer = Hostile::connect_tls(&addr.parse().unwrap(), &first[1]).await;
    let mut stream = peer.open(PROTOCOL).await;
    enter(&mut stream, 1).await;
    let second = shows(port, DOMAIN, |cert| *cert != *first[0]).await;
    assert!(names_domain(&second[0]));
    enter(&mut stream, 2).await;
    assert!(peer.is_connected());
}

#[tokio::test]
async fn without_an_acme_server_the_relay_serves_its_other_addresses_and_says_why() {
    let nobody = format!("https://127.0.0.1:{}/dir", free_port());
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("relay.key");
    let listen = ["/ip4/127.0.0.1/tcp/0/tls/ws", "/ip4/127.0.0.1/tcp/0"];
    let args = ["--key", text(&key), "--domain", DOMAIN, "--acme-directory", &nobody];
    let mut relay = RelayProcess::start_with(&listen, &args).await;
    let line = relay.logs("no certificate; it is tried again").await;
    assert!(line.contains("refused"), "{line}");
    assert!(shown(port(&relay.ws()), DOMAIN).await.is_err());
    let mut peer = Hostile::connect(&relay.tcp()).await;
    enter(&mut peer.open(PROTOCOL).await, 1).await;
}
