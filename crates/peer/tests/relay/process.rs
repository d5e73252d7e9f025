//! The real `chats relay` as a process.

use chats_net::Multiaddr;
use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

/// Generous: the machine may be busy with a build.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct RelayProcess {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Lines of the log, read at once so that the relay never waits to write one.
    log: UnboundedReceiver<String>,
    /// As printed, in the order of the `--listen` arguments.
    pub addrs: Vec<Multiaddr>,
    /// What else was printed until then.
    pub printed: Vec<(String, String)>,
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
        Self::start_by(chats(&args), listen).await
    }

    /// Of a command that was prepared, with these `listen` among its arguments.
    pub async fn start_by(mut command: Command, listen: &[&str]) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = lines(child.stderr.take().unwrap());
        let mut relay = Self { child, stdout, log, addrs: Vec::new(), printed: Vec::new() };
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
        loop {
            let line = timeout(PATIENCE, self.stdout.next_line()).await.unwrap().unwrap();
            let Some(line) = line else {
                let mut log = String::new();
                while let Some(line) = self.log.recv().await {
                    log = log + &line + "\n";
                }
                panic!("the relay ended before it printed its addresses: {log}");
            };
            match line.split_once(' ') {
                Some(("listening", addr)) => return addr.parse().unwrap(),
                Some((what, addr)) => self.printed.push((what.to_owned(), addr.to_owned())),
                None => panic!("{line}"),
            }
        }
    }

    /// The next line of the log that holds `what`.
    pub async fn logs(&mut self, what: &str) -> String {
        let line = async {
            while let Some(line) = self.log.recv().await {
                if line.contains(what) {
                    return line;
                }
            }
            panic!("the relay ended before it logged: {what}");
        };
        timeout(PATIENCE, line).await.unwrap_or_else(|_| panic!("not logged: {what}"))
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

/// What comes out of a pipe, line by line.
pub fn lines(pipe: impl AsyncRead + Unpin + Send + 'static) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // Whoever does not listen any more does not keep the other from writing.
            let _ = sender.send(line);
        }
    });
    receiver
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
