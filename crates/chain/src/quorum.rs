//! Several endpoints, asked the same at one block; what counts is what they agree on.
//!
//! The rules are those of PROTOCOL section 2. With three or more endpoints two must agree, with
//! two both, and one alone is believed ([`Answer::sources`] says so). All are asked at the lowest
//! head less [`DEPTH`] blocks, and that block must be at most [`FRESH`] old. An endpoint that
//! stands still, lags, is on another chain, cannot be reached or says something else is named
//! with its [`Problem`] and drags nothing down.
//!
//! A local development chain ([`DEV_CHAIN`]) makes blocks only when it has something to put into
//! them, so it is asked at the lowest head itself and no age is looked at.

mod decide;

use crate::rpc::{At, Head, Rpc, RpcError, shorten};
use alloy_primitives::{Address, Bytes};
use chats_core::time::{Duration, Time};
use decide::{Outcome, decide};
use futures::future::{join, join_all};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The chain id of local development chains (anvil, hardhat).
pub const DEV_CHAIN: u64 = 31337;
/// How many blocks below the lowest head the endpoints are asked.
pub const DEPTH: u64 = 4;
/// How far a block's time may be from ours.
pub const FRESH: Duration = Duration::from_secs(120);
/// How many blocks an endpoint may be behind the others.
pub const MAX_LAG: u64 = 64;
/// How long an endpoint that could not be reached is left alone while the others suffice.
pub const BENCH: Duration = Duration::from_secs(30);

/// What the endpoints agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// The block it holds at.
    pub block: u64,
    /// When that block was made.
    pub timestamp: Time,
    /// How many endpoints are configured.
    pub sources: usize,
    /// How many of them gave this answer.
    pub agree: usize,
    /// The endpoints that did not, and why.
    pub problems: Vec<(String, Problem)>,
}

impl<T> Answer<T> {
    /// The same about something made from the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { value, block, timestamp, sources, agree, problems } = self;
        Answer { value: f(value), block, timestamp, sources, agree, problems }
    }
}

/// What is wrong with an endpoint. Each text follows the endpoint's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It gave no answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// It answers for another chain.
    #[error("is on chain {found} instead of {expected}")]
    WrongChain {
        /// The configured chain.
        expected: u64,
        /// The endpoint's chain.
        found: u64,
    },
    /// Its block is older than [`FRESH`].
    #[error("stands at block {block}, which is {} s old", age.as_secs())]
    Stale {
        /// The block.
        block: u64,
        /// Its age.
        age: Duration,
    },
    /// Its block is from the future, by more than [`FRESH`].
    #[error("stands at block {block}, which is {} s ahead of this device's clock", by.as_secs())]
    Ahead {
        /// The block.
        block: u64,
        /// How far ahead.
        by: Duration,
    },
    /// It is more than [`MAX_LAG`] blocks behind the others.
    #[error("is at block {block} while others are at {others}")]
    Behind {
        /// Its newest block.
        block: u64,
        /// The newest block elsewhere.
        others: u64,
    },
    /// It answered, and not what was agreed on, or nothing was agreed on.
    #[error("gave an answer that others contradict")]
    Differs,
}

/// Why there is no answer. The texts are for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// The configuration names no endpoint.
    #[error("no chain endpoint is configured: name one in `chain.rpc` of config.json")]
    NoEndpoint,
    /// No endpoint gave a usable answer.
    #[error(
        "no chain endpoint can be used: {}. Check the connection and this device's clock",
        list(problems)
    )]
    Unreachable {
        /// Each endpoint and what is wrong with it.
        problems: Vec<(String, Problem)>,
    },
    /// Some answered, but too few the same.
    #[error(
        "the chain endpoints do not agree: {need} of {sources} must say the same; {}",
        list(problems)
    )]
    Undecided {
        /// How many must agree.
        need: usize,
        /// How many are configured.
        sources: usize,
        /// Each endpoint that is in the way, and why.
        problems: Vec<(String, Problem)>,
    },
    /// Enough agree that the address holds no contract.
    #[error(
        "there is no contract at {address} on chain {chain}: check `chain.communities` in config.json"
    )]
    NoContract {
        /// The chain asked.
        chain: u64,
        /// The address asked.
        address: Address,
    },
    /// Enough agree that the contract refuses the question.
    #[error("the contract refuses the question ({})", shorten(&data.to_string()))]
    Reverted {
        /// The encoded error, or empty.
        data: Bytes,
    },
}

/// What an endpoint said: the block, and the bytes of the call.
type Said = (Result<Head, RpcError>, Result<Bytes, RpcError>);

fn list(problems: &[(String, Problem)]) -> String {
    let sentences: Vec<_> = problems.iter().map(|(name, what)| format!("{name} {what}")).collect();
    sentences.join("; ")
}

/// The endpoints of one chain.
#[derive(Debug)]
pub struct Quorum<R> {
    chain: u64,
    endpoints: Vec<Endpoint<R>>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Endpoint<R> {
    rpc: R,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether it once named the right chain; it is not asked again then.
    chain_checked: bool,
    /// Until when it is left alone, and why.
    bench: Option<(Time, RpcError)>,
}

impl<R: Rpc> Quorum<R> {
    /// Endpoints for the chain with the EIP-155 id `chain`. Of several with one name the first
    /// counts: nobody agrees with himself.
    #[must_use]
    pub fn new(chain: u64, rpcs: Vec<R>) -> Self {
        let mut endpoints: Vec<Endpoint<R>> = Vec::with_capacity(rpcs.len());
        for rpc in rpcs {
            if endpoints.iter().all(|known| known.rpc.name() != rpc.name()) {
                endpoints.push(Endpoint { rpc, state: Mutex::default() });
            }
        }
        Self { chain, endpoints, next: AtomicUsize::new(0) }
    }

    /// The EIP-155 id of the chain.
    #[must_use]
    pub const fn chain(&self) -> u64 {
        self.chain
    }

    /// How many endpoints there are.
    #[must_use]
    pub const fn sources(&self) -> usize {
        self.endpoints.len()
    }

    /// How many must agree.
    fn need(&self) -> usize {
        self.sources().min(2)
    }

    /// Asks all endpoints for what the contract at `to` returns to `data`, and takes what enough
    /// of them agree on. `decode` reads a return value; its error says what is wrong with the
    /// bytes, and counts as [`RpcError::Malformed`].
    ///
    /// # Errors
    /// If no answer stands: see [`QuorumError`].
    pub async fn read<T: PartialEq>(
        &self,
        to: Address,
        data: &Bytes,
        decode: impl Fn(&[u8]) -> Result<T, String>,
        now: Time,
    ) -> Result<Answer<T>, QuorumError> {
        if self.endpoints.is_empty() {
            return Err(QuorumError::NoEndpoint);
        }
        let mut problems = Vec::new();
        let Some((number, answers)) = self.ask(to, data, now, &mut problems).await else {
            return Err(QuorumError::Unreachable { problems });
        };
        let mut outcomes = Vec::new();
        for (endpoint, (block, call)) in answers {
            match self.outcome(block, call, number, &decode, now) {
                Ok(outcome) => outcomes.push((endpoint.name(), outcome)),
                Err(problem) => problems.push((endpoint.failed(&problem, now), problem)),
            }
        }
        if outcomes.is_empty() {
            return Err(QuorumError::Unreachable { problems });
        }
        let (need, sources) = (self.need(), self.sources());
        let Some(((outcome, timestamp), agree)) = decide(outcomes, need, &mut problems) else {
            return Err(QuorumError::Undecided { need, sources, problems });
        };
        match outcome {
            Outcome::Value(value) => {
                Ok(Answer { value, block: number, timestamp, sources, agree, problems })
            }
            Outcome::Reverted(data) => Err(QuorumError::Reverted { data }),
            Outcome::Nothing => Err(QuorumError::NoContract { chain: self.chain, address: to }),
        }
    }

    /// Asks every usable endpoint at one block: its number, and from each its block and its bytes.
    /// `None` if no endpoint is usable. The part of [`Self::read`] that every question shares.
    async fn ask(
        &self,
        to: Address,
        data: &Bytes,
        now: Time,
        problems: &mut Vec<(String, Problem)>,
    ) -> Option<(u64, Vec<(&Endpoint<R>, Said)>)> {
        let asked = self.not_benched(now, problems);
        let heads = join_all(
            asked
                .into_iter()
                .map(|endpoint| async move { (endpoint, endpoint.head(self.chain).await) }),
        );
        let heads = self.usable(heads.await, now, problems);
        let lowest = heads.iter().map(|(_, head)| *head).min_by_key(|head| head.number)?;
        let dev = self.chain == DEV_CHAIN;
        let number = lowest.number.saturating_sub(if dev { 0 } else { DEPTH });
        let answers = join_all(heads.into_iter().map(|(endpoint, _)| async move {
            let block = async {
                if dev { Ok(lowest) } else { endpoint.rpc.block(At::Number(number)).await }
            };
            let call = endpoint.rpc.call(to, data, At::Number(number));
            (endpoint, join(block, call).await)
        }));
        Some((number, answers.await))
    }

    /// Asks one endpoint at its newest block, the next one each time; if it fails, the one after
    /// it. The answer is a hint, not to be believed: use it to decide whether to [`Self::read`].
    ///
    /// # Errors
    /// [`QuorumError::NoEndpoint`], or [`QuorumError::Unreachable`] if none answers.
    pub async fn hint<T>(
        &self,
        to: Address,
        data: &Bytes,
        decode: impl Fn(&[u8]) -> Result<T, String>,
        now: Time,
    ) -> Result<T, QuorumError> {
        if self.endpoints.is_empty() {
            return Err(QuorumError::NoEndpoint);
        }
        let mut problems = Vec::new();
        let asked = self.not_benched(now, &mut problems);
        let first = self.next.fetch_add(1, Ordering::Relaxed) % asked.len().max(1);
        for endpoint in asked.iter().cycle().skip(first).take(asked.len()) {
            let answer = match endpoint.check_chain(self.chain).await {
                Ok(()) => endpoint.rpc.call(to, data, At::Latest).await.map_err(Problem::Rpc),
                Err(problem) => Err(problem),
            };
            let value = answer.and_then(|bytes| {
                decode(&bytes).map_err(|why| RpcError::Malformed(shorten(&why)).into())
            });
            match value {
                Ok(value) => return Ok(value),
                Err(problem) => problems.push((endpoint.failed(&problem, now), problem)),
            }
        }
        Err(QuorumError::Unreachable { problems })
    }

    /// The endpoints that are not left alone for now; all of them if too few would remain.
    fn not_benched(&self, now: Time, problems: &mut Vec<(String, Problem)>) -> Vec<&Endpoint<R>> {
        let benched: Vec<_> = self.endpoints.iter().map(|e| e.benched(now)).collect();
        if benched.iter().filter(|bench| bench.is_none()).count() < self.need() {
            return self.endpoints.iter().collect();
        }
        let mut asked = Vec::new();
        for (endpoint, bench) in self.endpoints.iter().zip(benched) {
            match bench {
                None => asked.push(endpoint),
                Some(error) => problems.push((endpoint.name(), error.into())),
            }
        }
        asked
    }

    /// Leaves out the endpoints that failed, stand still, or lag.
    fn usable<'a>(
        &self,
        heads: Vec<(&'a Endpoint<R>, Result<Head, Problem>)>,
        now: Time,
        problems: &mut Vec<(String, Problem)>,
    ) -> Vec<(&'a Endpoint<R>, Head)> {
        let mut usable = Vec::new();
        for (endpoint, head) in heads {
            match head.and_then(|head| self.fresh(&head, now).map(|()| head)) {
                Ok(head) => usable.push((endpoint, head)),
                Err(problem) => problems.push((endpoint.failed(&problem, now), problem)),
            }
        }
        // Among three or more, one that claims a height out of reach must not make the honest
        // ones look late, so they are measured by the second highest.
        let (mut highest, mut second) = (0, 0);
        for (_, head) in &usable {
            second = second.max(head.number.min(highest));
            highest = highest.max(head.number);
        }
        let others = if usable.len() >= 3 { second } else { highest };
        usable.retain(|(endpoint, head)| {
            let near = others.saturating_sub(head.number) <= MAX_LAG;
            if !near {
                problems.push((endpoint.name(), Problem::Behind { block: head.number, others }));
            }
            near
        });
        usable
    }

    fn fresh(&self, head: &Head, now: Time) -> Result<(), Problem> {
        let block = head.number;
        let (age, by) = (now.since(head.timestamp), head.timestamp.since(now));
        if self.chain == DEV_CHAIN || (age <= FRESH && by <= FRESH) {
            Ok(())
        } else if age > FRESH {
            Err(Problem::Stale { block, age })
        } else {
            Err(Problem::Ahead { block, by })
        }
    }

    /// What one endpoint says, with the time of the block at which it says so.
    fn outcome<T>(
        &self,
        block: Result<Head, RpcError>,
        call: Result<Bytes, RpcError>,
        number: u64,
        decode: &impl Fn(&[u8]) -> Result<T, String>,
        now: Time,
    ) -> Result<(Outcome<T>, Time), Problem> {
        let block = block?;
        if block.number != number {
            let what = format!("block {} instead of {number}", block.number);
            return Err(RpcError::Malformed(what).into());
        }
        self.fresh(&block, now)?;
        let outcome = match call {
            Ok(bytes) if bytes.is_empty() => Outcome::Nothing,
            Ok(bytes) => {
                Outcome::Value(decode(&bytes).map_err(|why| RpcError::Malformed(shorten(&why)))?)
            }
            Err(RpcError::Reverted { data }) => Outcome::Reverted(data),
            Err(error) => return Err(error.into()),
        };
        Ok((outcome, block.timestamp))
    }
}

impl<R: Rpc> Endpoint<R> {
    fn name(&self) -> String {
        self.rpc.name().to_owned()
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn benched(&self, now: Time) -> Option<RpcError> {
        let bench = self.with_state(|state| state.bench.clone());
        bench.filter(|(until, _)| now < *until).map(|(_, error)| error)
    }

    /// Takes note of a failure; leaves the endpoint alone for a while if it cost waiting.
    fn failed(&self, problem: &Problem, now: Time) -> String {
        if let Problem::Rpc(error @ (RpcError::Unreachable(_) | RpcError::Timeout)) = problem {
            self.with_state(|state| state.bench = Some((now + BENCH, error.clone())));
        }
        self.name()
    }

    async fn check_chain(&self, expected: u64) -> Result<(), Problem> {
        if self.with_state(|state| state.chain_checked) {
            return Ok(());
        }
        let found = self.rpc.chain_id().await?;
        if found != expected {
            return Err(Problem::WrongChain { expected, found });
        }
        self.with_state(|state| state.chain_checked = true);
        Ok(())
    }

    async fn head(&self, chain: u64) -> Result<Head, Problem> {
        let (checked, head) = join(self.check_chain(chain), self.rpc.head()).await;
        checked?;
        Ok(head?)
    }
}
