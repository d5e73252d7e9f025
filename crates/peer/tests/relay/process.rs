//! The real `chats relay` as a process.

use chats_net::Multiaddr;
use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Generous: the machine may be busy with a build.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct RelayProcess {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// As printed, in the order of the `--listen` arguments.
    pub addrs: Vec<Multiaddr>,
}

pub fn chats(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chats"));
    command.args(args).env_remove("RUST_LOG").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl RelayProcess {
    /// On a free WebSocket and a free TCP port of loopback.
    pub async fn start() -> Self {
        Self::start_with(&["/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/tcp/0"], &[]).await
    }

    pub async fn start_with(listen: &[&str], more: &[&str]) -> Self {
        let args = [&["relay", "--listen"], listen, more].concat();
        let mut child = chats(&args).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut relay = Self { child, stdout, addrs: Vec::new() };
        let mut printed = Vec::new();
        for _ in listen {
            printed.push(relay.listening().await);
        }
        for addr in listen {
            let ws = addr.ends_with("/ws");
            let same = printed.iter().position(|one| one.to_string().contains("/ws/") == ws);
            relay.addrs.push(printed.remove(same.expect("each address is printed")));
        }
        relay
    }

    async fn listening(&mut self) -> Multiaddr {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.unwrap().unwrap();
        let line = line.expect("the relay prints its addresses before it ends");
        line.strip_prefix("listening ").expect(&line).parse().unwrap()
    }

    pub fn ws(&self) -> Multiaddr {
        self.addrs[0].clone()
    }

    pub fn tcp(&self) -> Multiaddr {
        self.addrs[1].clone()
    }

    pub async fn signal(&mut self, signal: &str) -> ExitStatus {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(sent.success());
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }
}

/// Runs `chats` to its end: exit code and standard error.
pub async fn fails(args: &[&str]) -> (i32, String) {
    let mut child = chats(args).spawn().unwrap();
    let mut stderr = String::new();
    let end = async {
        child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        child.wait().await.unwrap()
    };
    let status = timeout(PATIENCE, end).await.expect("it ends by itself");
    (status.code().unwrap(), stderr)
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
