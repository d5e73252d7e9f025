//! Who may have credentials: members of the configured communities, as the contract says now.

use chats_chain::{AlloyRpc, Communities};
use chats_core::{
    access::{AccessAnswer, AccessBook, Batch},
    config::Config,
    hello::Hello,
    id::{Community, Wallet},
    time::{Duration, Time},
    turn::{TurnAnswer, TurnGrant, TurnRefusal, read_request},
};
use chats_net::relay::TurnQuestion;
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use std::{net::IpAddr, sync::Arc, time::SystemTime};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Devices that wait for the chain at once.
const MAX_WAITING: usize = 256;
/// How old what the contract said may be.
const FRESH: Duration = Duration::from_secs(60);
/// How long the chain may take. The relay's word has to arrive within the 15 s of the protocol.
const PATIENCE: Duration = Duration::from_secs(10);
/// How old the contract's last word may be when the chain cannot be asked: what was decided stands.
const STANDS: Duration = Duration::from_secs(3600);
/// How long one endpoint may take.
const RPC_TIMEOUT: Duration = Duration::from_secs(5);

/// A community, and what is known of its members.
struct Served {
    community: Community,
    contract: Arc<Communities<AlloyRpc>>,
    book: AccessBook,
}

struct Waiting {
    question: TurnQuestion,
    hello: Hello,
    /// Among [`Members::served`].
    place: usize,
    since: Time,
}

/// What gives credentials to those who may have them.
pub(super) trait Grants {
    /// For a device of `wallet` at `address`.
    ///
    /// # Errors
    /// [`TurnRefusal::Spent`] or [`TurnRefusal::Busy`].
    fn grant(
        &self,
        question: &TurnQuestion,
        wallet: Wallet,
        address: Option<IpAddr>,
    ) -> Result<TurnGrant, TurnRefusal>;
}

/// Decides about devices that ask.
pub(super) struct Members<G> {
    served: Vec<Served>,
    waiting: Vec<Waiting>,
    asked: FuturesUnordered<BoxFuture<'static, (usize, u32, Option<AccessAnswer>)>>,
    grants: G,
}

/// The time by this machine's clock.
fn now() -> Time {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::default() + wall
}

impl<G: Grants> Members<G> {
    /// For the communities of these configurations.
    ///
    /// # Errors
    /// A text about the endpoint that cannot be used.
    pub(super) fn new(configs: &[Config], grants: G) -> Result<Self, String> {
        let served = configs.iter().map(|config| {
            let rpc = |url: &String| AlloyRpc::http(url, RPC_TIMEOUT);
            let endpoints: Result<_, _> = config.rpc.iter().map(rpc).collect();
            let endpoints = endpoints.map_err(|error| format!("a chain endpoint {error}"))?;
            let contract = Arc::new(Communities::new(config.community.registry, endpoints));
            Ok(Served { community: config.community, contract, book: AccessBook::default() })
        });
        let served = served.collect::<Result<_, String>>()?;
        Ok(Self { served, waiting: Vec::new(), asked: FuturesUnordered::new(), grants })
    }

    /// Answers questions for as long as there can be any.
    pub(super) async fn run(mut self, mut questions: mpsc::Receiver<TurnQuestion>) {
        loop {
            let wake = self.tick(now());
            tokio::select! {
                question = questions.recv() => match question {
                    Some(question) => self.take(question, now()),
                    None => return,
                },
                Some((place, request, answer)) = self.asked.next() => {
                    let failed = answer.is_none();
                    if let Some(served) = self.served.get_mut(place) {
                        served.book.answer(request, answer, now());
                    }
                    self.judge_all(now(), failed);
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Asks the chain what is to be asked, gives up on those who waited long enough, and tells
    /// when to do so again.
    fn tick(&mut self, now: Time) -> Instant {
        for (place, served) in self.served.iter_mut().enumerate() {
            if let Some(batch) = served.book.next_batch(now) {
                let (contract, id) = (Arc::clone(&served.contract), served.community.id);
                self.asked.push(ask(contract, id, place, batch, now).boxed());
            }
        }
        self.judge_all(now, false);
        let patience = self.waiting.iter().map(|waiting| waiting.since + PATIENCE).min();
        let books = self.served.iter().filter_map(|served| served.book.wake_at()).min();
        let wake = patience.into_iter().chain(books).min();
        Instant::now() + wake.map_or(PATIENCE, |wake| wake.since(now))
    }

    fn take(&mut self, question: TurnQuestion, now: Time) {
        match self.first_look(&question, now) {
            Err(refusal) => refuse(question, refusal),
            Ok((hello, place)) => {
                self.waiting.push(Waiting { question, hello, place, since: now });
                self.judge_all(now, false);
            }
        }
    }

    /// Everything that can be told without the chain.
    fn first_look(
        &mut self,
        question: &TurnQuestion,
        now: Time,
    ) -> Result<(Hello, usize), TurnRefusal> {
        let hello = read_request(&question.request).map_err(|_| TurnRefusal::Malformed)?;
        let registry = hello.certificate.statement.registry;
        let asked = Community { registry, id: hello.community };
        let place = self.served.iter().position(|served| served.community == asked);
        let place = place.ok_or(TurnRefusal::OtherCommunity)?;
        let certificate = &hello.certificate;
        certificate.check(question.device, registry, now).map_err(|_| TurnRefusal::Certificate)?;
        if self.waiting.len() >= MAX_WAITING {
            return Err(TurnRefusal::Busy);
        }
        let wallet = certificate.statement.wallet;
        let book = self.served.get_mut(place).map(|served| &mut served.book);
        let book = book.ok_or(TurnRefusal::OtherCommunity)?;
        let fresh = book.verdict(wallet, now).is_some_and(|one| now.since(one.at) < FRESH);
        if !fresh && !book.want(wallet) {
            return Err(TurnRefusal::Busy);
        }
        Ok((hello, place))
    }

    /// Answers all for whom it is time; the chain has just `failed`, or not.
    fn judge_all(&mut self, now: Time, failed: bool) {
        for waiting in std::mem::take(&mut self.waiting) {
            match self.judge(&waiting, now, failed) {
                None => self.waiting.push(waiting),
                Some(Ok(grant)) => waiting.question.answer(&TurnAnswer::Granted(grant)),
                Some(Err(refusal)) => refuse(waiting.question, refusal),
            }
        }
    }

    fn judge(
        &self,
        waiting: &Waiting,
        now: Time,
        failed: bool,
    ) -> Option<Result<TurnGrant, TurnRefusal>> {
        let certificate = &waiting.hello.certificate;
        let wallet = certificate.statement.wallet;
        let late = failed || now.since(waiting.since) >= PATIENCE;
        let stands = if late { STANDS } else { FRESH };
        let book = self.served.get(waiting.place).map(|served| &served.book)?;
        let verdict = book.verdict(wallet, now).filter(|one| now.since(one.at) < stands);
        let Some(verdict) = verdict else {
            return (now.since(waiting.since) >= PATIENCE).then_some(Err(TurnRefusal::Undecided));
        };
        if !verdict.standing.role.admits() {
            return Some(Err(TurnRefusal::NotAMember));
        }
        let valid = certificate
            .check_cutoff(verdict.standing.device_cutoff)
            .and_then(|()| certificate.check_wallet());
        if valid.is_err() {
            return Some(Err(TurnRefusal::Certificate));
        }
        let question = &waiting.question;
        Some(self.grants.grant(question, wallet, question.address))
    }
}

fn refuse(question: TurnQuestion, refusal: TurnRefusal) {
    tracing::info!(?refusal, "a device was refused TURN credentials");
    question.answer(&TurnAnswer::Refused(refusal));
}

/// Asks the contract about a batch of wallets.
async fn ask(
    contract: Arc<Communities<AlloyRpc>>,
    id: u64,
    place: usize,
    batch: Batch,
    now: Time,
) -> (usize, u32, Option<AccessAnswer>) {
    let answer = match contract.standings(id, &batch.wallets, now).await {
        Ok(answer) => Some(AccessAnswer {
            sources: u8::try_from(answer.agree).unwrap_or(u8::MAX),
            block: answer.block,
            standings: answer.value,
        }),
        Err(error) => {
            tracing::warn!(%error, "the chain could not be asked about members");
            None
        }
    };
    (place, batch.request, answer)
}
