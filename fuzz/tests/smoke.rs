//! Feeds every decoder inputs that nobody has tried, for 90 seconds in all: those that are kept and
//! the test vectors, changed at random. `cargo xtask test --only fuzz` runs it.
//!
//! Each input follows from the seed of the run, the decoder and a number, so that what fails can be
//! had again.

use chats_fuzz::mutation::{self, Dice};
use chats_fuzz::{DECODERS, Read, corpus};
use clap::Parser;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The longest that one input may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how many inputs it is looked at the clock.
const BETWEEN_LOOKS: u64 = 16;

#[derive(Parser)]
struct Options {
    /// The decoder to try; all without it
    decoder: Option<String>,
    /// How long all of them are tried together
    #[arg(long, default_value_t = 90.0)]
    seconds: f32,
    /// The seed of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

thread_local! {
    /// What was said as something failed here.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What one thread is doing, for the one that watches it.
#[derive(Default)]
struct Doing {
    /// The decoder's place in the list, and the number of its input.
    decoder: AtomicU64,
    number: AtomicU64,
    /// How many inputs it was done with.
    done: AtomicU64,
}

struct Run {
    seed: u64,
    vectors: Vec<Vec<u8>>,
    decoders: Vec<(&'static str, Read)>,
    /// One line for each decoder.
    lines: Mutex<Vec<Result<String, String>>>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = options.seed.unwrap_or(clock.map_or(0, |since| since.as_secs()));
    let wanted = |name: &str| options.decoder.as_deref().is_none_or(|only| only == name);
    let decoders: Vec<_> = DECODERS.into_iter().filter(|(name, _)| wanted(name)).collect();
    let (vectors, lines) = (corpus::vectors(), Mutex::default());
    let run = Run { seed, vectors, decoders, lines };
    println!("seed {seed}: {} decoders, {} s", run.decoders.len(), options.seconds);
    panic::set_hook(Box::new(|info| SAID.set(info.to_string())));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(run.decoders.len());
    let doing: Vec<Doing> = (0..threads).map(|_| Doing::default()).collect();
    thread::scope(|scope| {
        let workers: Vec<_> = doing
            .iter()
            .enumerate()
            .map(|(at, doing)| {
                let (run, budget) = (&run, Duration::from_secs_f32(options.seconds));
                scope.spawn(move || run.work((at, threads), budget, doing))
            })
            .collect();
        let mut seen = vec![(0, Instant::now()); threads];
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(50));
            for ((worker, doing), (done, since)) in workers.iter().zip(&doing).zip(&mut seen) {
                let now = doing.done.load(Ordering::Relaxed);
                if now != *done || worker.is_finished() {
                    (*done, *since) = (now, Instant::now());
                } else if since.elapsed() > PATIENCE {
                    run.hangs(doing);
                }
            }
        }
    });
    run.end()
}

impl Run {
    /// Tries the decoders of one thread of several, each for its share of the time.
    fn work(&self, (thread, threads): (usize, usize), budget: Duration, doing: &Doing) {
        let own: Vec<_> = (thread..self.decoders.len()).step_by(threads).collect();
        let (begun, mut left) = (Instant::now(), own.len());
        for at in own {
            let share = budget.saturating_sub(begun.elapsed()).div_f64(left.max(1) as f64);
            left -= 1;
            let line = self.attempt(at, share, doing);
            let (Ok(shown) | Err(shown)) = &line;
            println!("{shown}");
            if let Ok(mut lines) = self.lines.lock() {
                lines.push(line);
            }
        }
    }

    fn known(&self, name: &str) -> Vec<Vec<u8>> {
        let kept = corpus::kept(name);
        // As many tries for what is kept of this one as for all that there is of others.
        let times = self.vectors.len().div_ceil(kept.len().max(1));
        let often = kept.iter().cycle().take(kept.len() * times);
        often.chain(&self.vectors).cloned().collect()
    }

    fn attempt(&self, at: usize, share: Duration, doing: &Doing) -> Result<String, String> {
        let Some((name, decoder)) = self.decoders.get(at) else { return Err("none".to_owned()) };
        let (known, begun, mut number) = (self.known(name), Instant::now(), 0);
        doing.decoder.store(at as u64, Ordering::Relaxed);
        while number % BETWEEN_LOOKS != 0 || begun.elapsed() < share {
            doing.number.store(number, Ordering::Relaxed);
            let input = mutation::input(&mut Dice::new(self.seed, name, number), &known);
            if panic::catch_unwind(AssertUnwindSafe(|| decoder(&input))).is_err() {
                return Err(self.failed(name, number, &input, &SAID.take()));
            }
            doing.done.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
        if number == 0 {
            return Err(format!("not ok {name}: there was no time for it"));
        }
        Ok(format!("ok {name} ({number} inputs)"))
    }

    fn failed(&self, name: &str, number: u64, input: &[u8], why: &str) -> String {
        let input: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let why = why.lines().collect::<Vec<_>>().join(" ");
        let seed = self.seed;
        format!(
            "not ok {name}: seed {seed}, number {number}: {why}\n  for fuzz/corpus/{name}.hex: {input}"
        )
    }

    /// A thread is not done with its input: there is no way to stop it.
    fn hangs(&self, doing: &Doing) {
        let at = usize::try_from(doing.decoder.load(Ordering::Relaxed)).unwrap_or_default();
        let number = doing.number.load(Ordering::Relaxed);
        if let Some((name, _)) = self.decoders.get(at) {
            let known = self.known(name);
            let input = mutation::input(&mut Dice::new(self.seed, name, number), &known);
            let why = format!("it takes more than {} s", PATIENCE.as_secs());
            println!("{}", self.failed(name, number, &input, &why));
        }
        println!("0 passed, 1 failed, 0 skipped");
        std::process::exit(1);
    }

    fn end(self) -> ExitCode {
        let lines = self.lines.into_inner().unwrap_or_default();
        let failed = lines.iter().filter(|line| line.is_err()).count();
        println!("{} passed, {failed} failed, 0 skipped", lines.len() - failed);
        if failed > 0 || lines.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
