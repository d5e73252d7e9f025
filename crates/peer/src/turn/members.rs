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
                    self.learn(place, request, answer, now());
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Takes the chain's answer, or its failure, about one of the communities.
    fn learn(&mut self, place: usize, request: u32, answer: Option<AccessAnswer>, now: Time) {
        let failed = answer.is_none().then_some(place);
        if let Some(served) = self.served.get_mut(place) {
            served.book.answer(request, answer, now);
        }
        self.judge_all(now, failed);
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
        self.judge_all(now, None);
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
                self.judge_all(now, None);
            }
        }
    }

    /// Everything that can be told without the chain: a stranger's lies must not cost a call.
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
        certificate
            .check(question.device, registry, now)
            .and_then(|()| certificate.check_wallet())
            .map_err(|_| TurnRefusal::Certificate)?;
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

    /// Answers all for whom it is time; the chain has just `failed` for one community, or not.
    fn judge_all(&mut self, now: Time, failed: Option<usize>) {
        for waiting in std::mem::take(&mut self.waiting) {
            match self.judge(&waiting, now, failed == Some(waiting.place)) {
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
        if certificate.check_cutoff(verdict.standing.device_cutoff).is_err() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::{
        access::{Role, Standing},
        fixtures::{COMMUNITY, NOW, REGISTRY, TestWallet, certificate},
        id::DeviceSecret,
        wire,
    };
    use futures::channel::oneshot;

    /// Grants all.
    struct Generous;

    impl Grants for Generous {
        fn grant(
            &self,
            _: &TurnQuestion,
            _: Wallet,
            _: Option<IpAddr>,
        ) -> Result<TurnGrant, TurnRefusal> {
            Ok(TurnGrant {
                urls: vec!["turn:192.0.2.1:3478".to_owned()],
                username: "name".to_owned(),
                credential: "credential".to_owned(),
                lasts: 3600,
            })
        }
    }

    /// Serves communities 1 and 2 of a chain that is not asked.
    fn members() -> Members<Generous> {
        let served = [COMMUNITY.id, COMMUNITY.id + 1].map(|id| Served {
            community: Community { registry: REGISTRY, id },
            contract: Arc::new(Communities::new(REGISTRY, Vec::new())),
            book: AccessBook::default(),
        });
        let (waiting, asked) = (Vec::new(), FuturesUnordered::new());
        Members { served: served.into(), waiting, asked, grants: Generous }
    }

    fn seat() -> Option<AccessAnswer> {
        let standing = Standing { role: Role::Member, device_cutoff: Time::default() };
        Some(AccessAnswer { standings: vec![standing], block: 9, sources: 1 })
    }

    /// The question of a device whose certificate, issued at [`NOW`], names `wallet`.
    fn question(
        wallet: &TestWallet,
        signer: &TestWallet,
        community: u64,
    ) -> (TurnQuestion, oneshot::Receiver<Vec<u8>>) {
        let secret = DeviceSecret::from_seed(&[1; 32]);
        let mut certificate = certificate(wallet, &secret, NOW);
        if wallet.address() != signer.address() {
            let signature = signer.sign(&certificate.statement.text());
            certificate = certificate.statement.certify(certificate.kind, signature, &secret);
        }
        let hello = Hello { certificate, community, version: 0, time: NOW };
        TurnQuestion::new(secret.device(), None, wire::encode(&hello))
    }

    fn answered(answer: &mut oneshot::Receiver<Vec<u8>>) -> Option<TurnAnswer> {
        let bytes = answer.try_recv().expect("the question is not dropped")?;
        Some(TurnAnswer::read(&bytes).unwrap())
    }

    #[tokio::test]
    async fn where_the_chain_fails_for_one_community_the_other_still_waits_for_its_own() {
        let bob = TestWallet::new(2);
        let mut members = members();
        members.served[1].book.want(bob.address());
        members.tick(NOW);
        members.learn(1, 1, seat(), NOW);
        // Too old to count unless the chain cannot be asked.
        let later = NOW + Duration::from_secs(120);
        let (ask, mut answer) = question(&bob, &bob, COMMUNITY.id + 1);
        members.take(ask, later);
        members.tick(later);
        members.learn(0, 1, None, later);
        assert_eq!(answered(&mut answer), None, "judged by what happened to others");
        members.learn(1, 2, None, later);
        assert!(matches!(answered(&mut answer), Some(TurnAnswer::Granted(_))));
    }

    #[tokio::test]
    async fn a_wallet_that_did_not_sign_costs_no_call() {
        let (bob, forger) = (TestWallet::new(2), TestWallet::new(9));
        let mut members = members();
        let (ask, mut answer) = question(&bob, &forger, COMMUNITY.id);
        members.take(ask, NOW);
        let refused = TurnAnswer::Refused(TurnRefusal::Certificate);
        assert_eq!(answered(&mut answer), Some(refused));
        members.tick(NOW);
        assert!(members.asked.is_empty() && members.waiting.is_empty());
        let (ask, mut answer) = question(&bob, &bob, COMMUNITY.id);
        members.take(ask, NOW);
        members.tick(NOW);
        assert_eq!((answered(&mut answer), members.asked.len()), (None, 1));
    }
}
