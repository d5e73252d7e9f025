//! The files of `deploy/relay` start a relay: on loopback here, with an ACME server that is away.

use crate::process::{RelayProcess, chats, text};

const SERVICE: &str = include_str!("../../../../deploy/relay/chats-relay.service");
const DOCKERFILE: &str = include_str!("../../../../deploy/relay/Dockerfile");
const COMPOSE: &str = include_str!("../../../../deploy/relay/compose.yaml");
const NAME: &str = "relay.example.org";

/// What systemd passes to the program.
fn by_service() -> Vec<String> {
    let (_, start) = SERVICE.split_once("ExecStart=/usr/local/bin/chats ").unwrap();
    let start = start.replace("\\\n", " ");
    let words = start.lines().next().unwrap().split_whitespace();
    words.filter(|word| *word != "$OPTIONS").map(|word| word.replace("${DOMAIN}", NAME)).collect()
}

/// What Docker does: the image's first words, then those of the service.
fn by_compose() -> Vec<String> {
    let (_, entry) = DOCKERFILE.split_once("ENTRYPOINT [\"chats\", ").unwrap();
    let entry = entry.trim().trim_end_matches(']').split(", ").map(|word| word.trim_matches('"'));
    let (_, command) = COMPOSE.split_once("    command:\n").unwrap();
    let command = command.lines().map_while(|line| line.strip_prefix("      - "));
    entry.chain(command).map(str::to_owned).collect()
}

async fn starts(words: Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let key = text(dir.path()).to_owned() + "/relay.key";
    let here = |word: &String| match word.as_str() {
        "/ip4/0.0.0.0/tcp/443/tls/ws" => "/ip4/127.0.0.1/tcp/0/tls/ws".to_owned(),
        "/ip6/::/tcp/443/tls/ws" => "/ip6/::1/tcp/0/tls/ws".to_owned(),
        "/var/lib/chats-relay/relay.key" => key.clone(),
        other => other.to_owned(),
    };
    let words: Vec<_> = words.iter().map(here).collect();
    let listen: Vec<_> =
        words.iter().map(String::as_str).filter(|w| w.ends_with("/0/tls/ws")).collect();
    assert_eq!(listen.len(), 2, "{words:?}");
    let mut args: Vec<_> = words.iter().map(String::as_str).collect();
    args.extend(["--acme-directory", "https://127.0.0.1:1/directory"]);
    let relay = RelayProcess::start_by(chats(&args), &listen).await;
    let (what, address) = &relay.printed[0];
    assert_eq!(what, "external");
    assert!(address.starts_with(&format!("/dns4/{NAME}/tcp/443/tls/ws/p2p/12D3KooW")), "{address}");
    assert!(dir.path().join("relay.key").exists());
}

#[tokio::test]
async fn the_service_file_starts_a_relay() {
    starts(by_service()).await;
}

#[tokio::test]
async fn the_container_files_start_a_relay() {
    starts(by_compose()).await;
}
