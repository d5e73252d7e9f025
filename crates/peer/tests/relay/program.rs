//! The program itself: what it prints, its key file, how it ends.

use crate::{
    device::{Device, pair},
    process::{RelayProcess, fails, text},
};
use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

const WS: &str = "/ip4/127.0.0.1/tcp/0/ws";

#[tokio::test]
async fn each_address_is_printed_with_its_port_and_peer() {
    let relay = RelayProcess::start().await;
    let (ws, tcp) = (relay.ws().to_string(), relay.tcp().to_string());
    let peer = ws.split("/ws/p2p/").nth(1).unwrap().to_owned();
    assert!(peer.starts_with("12D3KooW"), "{ws}");
    assert!(ws.starts_with("/ip4/127.0.0.1/tcp/") && !ws.contains("/tcp/0/"), "{ws}");
    assert!(tcp.starts_with("/ip4/127.0.0.1/tcp/") && !tcp.contains("/tcp/0/"), "{tcp}");
    assert!(tcp.ends_with(&format!("/p2p/{peer}")), "{tcp}");
}

#[tokio::test]
async fn signals_end_it_with_0_within_2_seconds_though_devices_are_connected() {
    for signal in ["-TERM", "-INT"] {
        let mut relay = RelayProcess::start().await;
        let (mut first, second) = pair(relay.ws()).await;
        let asked = Instant::now();
        let status = relay.signal(signal).await;
        assert!(asked.elapsed().as_secs_f32() < 2.0, "{signal} took {:?}", asked.elapsed());
        assert_eq!(status.code(), Some(0), "{signal}");
        first.disconnected(second.key).await;
    }
}

#[tokio::test]
async fn the_key_file_is_made_for_the_owner_alone_and_keeps_the_peer_id() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("relay.key");
    let args = ["--key", text(&path)];
    let mut relay = RelayProcess::start_with(&[WS], &args).await;
    let peer = relay.ws().iter().last().unwrap().acquire();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    relay.signal("-TERM").await;
    let again = RelayProcess::start_with(&[WS], &args).await;
    assert_eq!(again.ws().iter().last().unwrap(), peer);
}

#[tokio::test]
async fn without_a_key_file_each_start_is_another_peer() {
    let one = RelayProcess::start_with(&[WS], &[]).await;
    let two = RelayProcess::start_with(&[WS], &[]).await;
    assert_ne!(one.ws().iter().last(), two.ws().iter().last());
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("relay.key");
    fs::write(&path, "07".repeat(32)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, stderr) = fails(&["relay", "--listen", WS, "--key", text(&path)]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains(text(&path)) && stderr.contains("mode 0640"), "{stderr}");
}

#[tokio::test]
async fn a_malformed_key_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("relay.key");
    for content in ["", "07", &"07".repeat(33), &"zz".repeat(32)] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let (code, stderr) = fails(&["relay", "--listen", WS, "--key", text(&path)]).await;
        assert_eq!(code, 1, "{content}");
        assert!(stderr.contains("64 hexadecimal digits"), "{stderr}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_key_file_in_no_folder_is_an_error_that_names_it() {
    let (code, stderr) =
        fails(&["relay", "--listen", WS, "--key", "/nonexistent/folder/relay.key"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("/nonexistent/folder/relay.key"), "{stderr}");
}

#[tokio::test]
async fn a_busy_port_is_one_line_and_exit_code_1() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    for end in ["", "/ws"] {
        let addr = format!("/ip4/127.0.0.1/tcp/{port}{end}");
        let (code, stderr) = fails(&["relay", "--listen", &addr]).await;
        assert_eq!(code, 1, "{addr}");
        let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("chats")).collect();
        let [line] = lines[..] else { panic!("{stderr}") };
        assert!(line.contains(&addr) && line.contains("in use"), "{line}");
    }
}

#[tokio::test]
async fn wrong_usage_is_exit_code_2() {
    for (args, why) in [
        (&["relay"][..], "--listen"),
        (&["relay", "--listen", "127.0.0.1:9090"], "invalid multiaddr"),
        (&["relay", "--listen", WS, "--log", "xml"], "[possible values: text, json]"),
        (&["relay", "--listen", "/ip4/127.0.0.1/tcp/0/tls/ws"], "needs a certificate"),
        (
            &["relay", "--listen", "/ip4/127.0.0.1/tcp/0/wss"],
            "--tls-cert and --tls-key, or --domain",
        ),
        (&["relay", "--listen", WS, "--tls-cert", "cert.pem"], "--tls-key"),
        (&["relay", "--listen", WS, "--domain", "relay.example.org"], "--key"),
        (&["relay", "--listen", WS, "--turn", "8.8.4.4:3478"], "--config"),
        (&["relay", "--listen", WS, "--config", "config.json"], "--turn"),
        (
            &["relay", "--listen", WS, "--config", "config.json", "--turn", "10.0.0.1:3478"],
            "10.0.0.1 is no address at which others reach this machine",
        ),
        (
            &["relay", "--listen", WS, "--config", "c.json", "--turn", "[::1]:3478", "--dev"],
            "give an IPv4 address in --turn",
        ),
        (&["serve"], "unrecognized subcommand 'serve'"),
        (&[], "Usage: chats <COMMAND>"),
    ] {
        let (code, stderr) = fails(args).await;
        assert_eq!(code, 2, "{args:?}");
        assert!(stderr.contains(why), "{stderr}");
    }
}

#[tokio::test]
async fn the_log_names_no_device_and_no_address_and_can_be_json() {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
    let mut child =
        crate::process::chats(&["relay", "--listen", WS, "--log", "json"]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = stdout.next_line().await.unwrap().unwrap();
    let (first, second) = pair(line.strip_prefix("listening ").unwrap().parse().unwrap()).await;
    let keys = [first.key, second.key];
    drop((first, second));
    let id = child.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert!(log.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{log}");
    assert!(log.contains("relay stops"), "{log}");
    for secret in [keys[0].to_string(), keys[1].to_string(), "127.0.0.1".to_owned()] {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn reservations_beyond_the_operators_bound_are_refused_with_a_reason() {
    let relay = RelayProcess::start_with(&[WS], &["--max-reservations", "1"]).await;
    let mut first = Device::start(1, vec![relay.ws()]);
    first.relay_connected().await;
    let mut second = Device::start(2, vec![relay.ws()]);
    let reason = second.relay_failed().await;
    assert!(reason.to_lowercase().contains("resource"), "{reason}");
}
