//! Child processes that never outlive this one.
//!
//! Each child leads a process group of its own, so that what it starts can be stopped with it.
//! Groups are stopped when their owner is dropped and when this process is told to stop; should
//! this process be killed outright, Linux tells the direct children.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a child may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(3);

static RUNNING: Mutex<Registry> =
    Mutex::new(Registry { groups: BTreeSet::new(), folders: BTreeSet::new() });
static STOPPING: AtomicBool = AtomicBool::new(false);
static STOP_IS_SUCCESS: AtomicBool = AtomicBool::new(false);

struct Registry {
    groups: BTreeSet<i32>,
    folders: BTreeSet<PathBuf>,
}

fn registry() -> MutexGuard<'static, Registry> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on being told to stop is the expected end, with exit code 0.
pub(crate) fn stopping_is_success() {
    STOP_IS_SUCCESS.store(true, Ordering::Relaxed);
}

/// Once this process was told to stop, nothing goes on but the thread that does so: a child that
/// ended because of it is no failure to report, and no other may be started.
pub(crate) fn halt_if_stopping() {
    while STOPPING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Stops all children and leaves on SIGINT, SIGTERM or SIGHUP.
pub(crate) fn stop_on_signals() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        )
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let number = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
                _ = hangup.recv() => 1,
            }
        });
        STOPPING.store(true, Ordering::SeqCst);
        stop_all();
        let success = STOP_IS_SUCCESS.load(Ordering::Relaxed);
        std::process::exit(if success { 0 } else { 128 + number });
    })?;
    Ok(())
}

/// Does two things at once. If both fail, the first one's error is given.
pub(crate) fn both<A, B: Send>(
    one: impl FnOnce() -> Result<A>,
    other: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((one?, other?))
    })
}

/// Stops every child that still runs and removes the temporary folders.
pub(crate) fn stop_all() {
    let (groups, folders) = {
        let mut registry = registry();
        (std::mem::take(&mut registry.groups), std::mem::take(&mut registry.folders))
    };
    stop_groups(&groups.into_iter().collect::<Vec<_>>());
    for folder in folders {
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn stop_groups(groups: &[i32]) {
    for group in groups {
        let _ = killpg(Pid::from_raw(*group), Signal::SIGTERM);
    }
    let deadline = Instant::now() + GRACE;
    for group in groups {
        while group_lives(*group) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
}

/// Reaps the group's leader if it is our child and has ended, then asks whether anyone is left.
fn group_lives(group: i32) -> bool {
    use nix::sys::wait::{WaitPidFlag, waitpid};
    let _ = waitpid(Pid::from_raw(group), Some(WaitPidFlag::WNOHANG));
    killpg(Pid::from_raw(group), None).is_ok()
}

/// A new empty folder that is removed when this process ends.
pub(crate) fn temporary_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("community-chats-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    registry().folders.insert(folder.clone());
    Ok(folder)
}

fn spawn(command: &mut Command) -> Result<Child> {
    halt_if_stopping();
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the closure makes one async-signal-safe system call and allocates nothing.
        unsafe {
            command.pre_exec(|| {
                nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).map_err(std::io::Error::from)
            });
        }
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            anyhow!(
                "the program `{program}` was not found; `cargo xtask doctor` lists what is needed"
            )
        }
        _ => anyhow!("cannot start `{program}`: {error}"),
    })?;
    registry().groups.insert(group_of(&child));
    Ok(child)
}

fn group_of(child: &Child) -> i32 {
    // Process ids fit i32 on every Unix; this is what the system calls take.
    child.id().cast_signed()
}

/// Runs a command to its end, its output going straight through.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let mut child = spawn(command.stdin(Stdio::null()))?;
    let status = child.wait();
    registry().groups.remove(&group_of(&child));
    Ok(status?)
}

/// Runs a command to its end; anything but success is an error that names `what` failed.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("{what} failed ({status}); its own messages are above");
    }
    Ok(())
}

/// Runs a command to its end and gives its standard output; an error holds what it said.
pub(crate) fn output(what: &str, command: &mut Command) -> Result<String> {
    let child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let group = group_of(&child);
    let output = child.wait_with_output();
    registry().groups.remove(&group);
    let output = output?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what} failed ({}): {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end, showing each line of both outputs as it comes and giving it to
/// `line` as well.
pub(crate) fn watch(command: &mut Command, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child =
        spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (sender, receiver) = channel();
    let outputs: [Option<Box<dyn std::io::Read + Send>>; 2] = [
        child.stdout.take().map(|out| Box::new(out) as Box<dyn std::io::Read + Send>),
        child.stderr.take().map(|out| Box::new(out) as Box<dyn std::io::Read + Send>),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for text in BufReader::new(output).lines().map_while(|text| text.ok()) {
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    for text in receiver {
        println!("{text}");
        line(&text);
    }
    let status = child.wait();
    registry().groups.remove(&group_of(&child));
    Ok(status?)
}

/// A program that runs until it is dropped, its output kept in a log file.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Service {
    /// Starts `command`; `folder` takes the log.
    pub(crate) fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?);
        let mut child = spawn(command)?;
        let stdout = child.stdout.take().context("a started program has no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut file = file;
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                // The log is for people; a full disk must not stop the program being logged.
                let _ = writeln!(file, "{line}");
                // Once nobody waits for a line any more, reading goes on so that the pipe drains.
                let _ = sender.send(line);
            }
        });
        Ok(Self { name, child, lines, log })
    }

    /// Waits for the first line of output that `find` makes something of.
    pub(crate) fn wait_for<T>(
        &mut self,
        limit: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "{} was not ready after {} s: {}",
                        self.name,
                        limit.as_secs(),
                        self.last()
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it was ready: {}", self.name, self.last())
                }
            }
        }
    }

    /// An error once the program has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        while self.lines.try_recv().is_ok() {}
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status}): {}", self.name, self.last()),
        }
    }

    /// The last line of the log that says anything.
    fn last(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.map_or_else(|| "it said nothing".to_owned(), |line| line.trim().to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let group = group_of(&self.child);
        if registry().groups.remove(&group) {
            stop_groups(&[group]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = status(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("`no-such-program-here` was not found"), "{error}");
    }

    #[test]
    fn a_failing_command_gives_what_it_said() {
        let error = output("the check", &mut shell("echo wrong >&2; exit 3")).unwrap_err();
        assert_eq!(error.to_string(), "the check failed (exit status: 3): wrong");
    }

    #[test]
    fn watching_sees_both_outputs() {
        let mut seen = BTreeSet::new();
        let status = watch(&mut shell("echo one; echo two >&2"), |line| {
            seen.insert(line.to_owned());
        });
        assert!(status.unwrap().success());
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_dropped_service_stops_what_it_started() {
        let folder = std::env::temp_dir();
        let script = "sleep 600 & echo child $!; wait";
        let mut service = Service::start("sleeper", &mut shell(script), &folder).unwrap();
        let grandchild: i32 = service
            .wait_for(Duration::from_secs(10), |line| line.strip_prefix("child ")?.parse().ok())
            .unwrap();
        let alive = || {
            // A killed process stays visible as a zombie until its new parent reaps it.
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat"));
            state.is_ok_and(|state| !state.contains(") Z"))
        };
        assert!(alive());
        drop(service);
        assert!(!alive());
    }

    #[test]
    fn a_service_that_ends_early_says_its_last_words() {
        let folder = std::env::temp_dir();
        let mut service =
            Service::start("early", &mut shell("echo port taken >&2; exit 1"), &folder).unwrap();
        let error = service.wait_for(Duration::from_secs(10), |_| None::<()>).unwrap_err();
        assert_eq!(error.to_string(), "early ended before it was ready: port taken");
    }
}
