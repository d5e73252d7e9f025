//! The rules of PROTOCOL section 2, with endpoints whose answers are written down.
#![allow(missing_docs)]

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolCall, SolError};
use chats_chain::abi::Communities as abi;
use chats_chain::quorum::{BENCH, DEPTH};
use chats_chain::{Answer, At, Communities, Head, Problem, QuorumError, ReadError, Rpc, RpcError};
use chats_core::access::Role;
use chats_core::id::{Registry, Wallet};
use chats_core::time::{Duration, Time};
use futures::executor::block_on;
use std::sync::Mutex;

const NOW: Time = Time::from_secs(1_800_000_000);
const CHAIN: u64 = 42161;
const ALICE: Wallet = Wallet([7; 20]);

/// An endpoint that makes a block a second and says what it is told to.
struct Scripted {
    name: &'static str,
    chain: u64,
    head: Result<u64, RpcError>,
    /// The time of block 1,000; later blocks come one a second.
    thousandth: Time,
    call: Result<Bytes, RpcError>,
    asked: Mutex<Vec<At>>,
}

impl Scripted {
    /// Honest, on time, at block 1,000, and of the opinion that Alice has this role.
    fn says(name: &'static str, role: u8) -> Self {
        let call = Ok(abi::accessCall::abi_encode_returns(&vec![role]).into());
        let asked = Mutex::default();
        Self { name, chain: CHAIN, head: Ok(1000), thousandth: NOW, call, asked }
    }

    fn at(mut self, head: u64) -> Self {
        self.head = Ok(head);
        self
    }

    fn fails(mut self, error: RpcError) -> Self {
        self.head = Err(error);
        self
    }

    fn returns(mut self, call: Result<Vec<u8>, RpcError>) -> Self {
        self.call = call.map(Bytes::from);
        self
    }

    fn on_chain(mut self, chain: u64) -> Self {
        self.chain = chain;
        self
    }
}

impl Rpc for &Scripted {
    fn name(&self) -> &str {
        self.name
    }

    async fn chain_id(&self) -> Result<u64, RpcError> {
        self.head.clone().map(|_| self.chain)
    }

    async fn block(&self, at: At) -> Result<Head, RpcError> {
        self.asked.lock().unwrap().push(at);
        let head = self.head.clone()?;
        let number = match at {
            At::Latest => head,
            At::Number(number) => number,
        };
        let timestamp = Time((self.thousandth.0 + number * 1000).saturating_sub(1_000_000));
        Ok(Head { number, timestamp, hash: B256::with_last_byte(number as u8) })
    }

    async fn call(&self, _: Address, _: &Bytes, _: At) -> Result<Bytes, RpcError> {
        self.call.clone()
    }
}

fn registry(chain: u64) -> Registry {
    Registry { chain, contract: Wallet([0xC0; 20]) }
}

fn access(endpoints: &[Scripted]) -> Result<Answer<Vec<Role>>, ReadError> {
    access_on(CHAIN, endpoints)
}

fn access_on(chain: u64, endpoints: &[Scripted]) -> Result<Answer<Vec<Role>>, ReadError> {
    let communities = Communities::new(registry(chain), endpoints.iter().collect());
    block_on(communities.access(1, &[ALICE], NOW))
}

fn undecided(result: Result<Answer<Vec<Role>>, ReadError>) -> Vec<(String, Problem)> {
    match result {
        Err(ReadError::Quorum(QuorumError::Undecided { problems, .. })) => problems,
        other => panic!("decided: {other:?}"),
    }
}

fn named(name: &str, problem: Problem) -> Vec<(String, Problem)> {
    vec![(name.to_owned(), problem)]
}

#[test]
fn three_that_agree_answer_at_the_lowest_head_less_four() {
    let endpoints =
        [Scripted::says("a", 1), Scripted::says("b", 1).at(990), Scripted::says("c", 1)];
    let answer = access(&endpoints).unwrap();
    assert_eq!(answer.value, [Role::Member]);
    assert_eq!((answer.block, answer.sources, answer.agree), (990 - DEPTH, 3, 3));
    assert_eq!(answer.timestamp, Time::from_secs(NOW.secs() - 14));
    assert_eq!(answer.problems, []);
    for endpoint in &endpoints {
        assert_eq!(endpoint.asked.lock().unwrap().last(), Some(&At::Number(986)));
    }
}

#[test]
fn a_liar_is_outvoted_and_named() {
    let endpoints = [Scripted::says("a", 0), Scripted::says("liar", 1), Scripted::says("c", 0)];
    let answer = access(&endpoints).unwrap();
    assert_eq!(answer.value, [Role::None]);
    assert_eq!((answer.sources, answer.agree), (3, 2));
    assert_eq!(answer.problems, named("liar", Problem::Differs));
}

#[test]
fn a_liar_with_an_invented_revert_is_outvoted_too() {
    let lie = Err(RpcError::Reverted { data: Bytes::new() });
    let endpoints =
        [Scripted::says("a", 1), Scripted::says("liar", 1).returns(lie), Scripted::says("c", 1)];
    let answer = access(&endpoints).unwrap();
    assert_eq!(answer.problems, named("liar", Problem::Differs));
}

#[test]
fn two_that_disagree_decide_nothing_and_both_are_named() {
    let problems = undecided(access(&[Scripted::says("a", 0), Scripted::says("b", 1)]));
    assert_eq!(problems, [("a".into(), Problem::Differs), ("b".into(), Problem::Differs)]);
}

#[test]
fn of_two_both_are_needed() {
    let endpoints = [Scripted::says("a", 1), Scripted::says("b", 1).fails(RpcError::Timeout)];
    assert_eq!(undecided(access(&endpoints)), named("b", RpcError::Timeout.into()));
    assert_eq!(access(&[Scripted::says("a", 1), Scripted::says("b", 1)]).unwrap().agree, 2);
}

#[test]
fn one_alone_is_believed_and_counted_as_one_source() {
    let answer = access(&[Scripted::says("a", 3)]).unwrap();
    assert_eq!((answer.value, answer.sources, answer.agree), (vec![Role::Owner], 1, 1));
}

#[test]
fn the_same_endpoint_twice_is_one_source() {
    let answer = access(&[Scripted::says("a", 1), Scripted::says("a", 1)]).unwrap();
    assert_eq!(answer.sources, 1);
}

#[test]
fn of_three_one_left_is_not_enough() {
    let down = || RpcError::Unreachable("refused".to_owned());
    let endpoints = [
        Scripted::says("a", 1).fails(down()),
        Scripted::says("b", 1),
        Scripted::says("c", 1).fails(RpcError::Timeout),
    ];
    let problems = undecided(access(&endpoints));
    assert_eq!(problems, [("a".into(), down().into()), ("c".into(), RpcError::Timeout.into())]);
}

#[test]
fn a_frozen_endpoint_is_named_and_drags_nothing_down() {
    let endpoints =
        [Scripted::says("a", 1), Scripted::says("old", 0).at(500), Scripted::says("c", 1)];
    let answer = access(&endpoints).unwrap();
    assert_eq!(answer.block, 996);
    let age = Duration::from_secs(500);
    assert_eq!(answer.problems, named("old", Problem::Stale { block: 500, age }));
}

#[test]
fn one_that_passes_an_old_block_for_new_drags_nothing_down() {
    let mut forger = Scripted::says("forger", 1).at(10);
    forger.thousandth = NOW + Duration::from_secs(990);
    let answer = access(&[Scripted::says("a", 0), forger, Scripted::says("c", 0)]).unwrap();
    assert_eq!((answer.block, answer.value), (996, vec![Role::None]));
    assert_eq!(answer.problems, named("forger", Problem::Behind { block: 10, others: 1000 }));
}

#[test]
fn one_that_claims_a_height_out_of_reach_does_not_make_the_others_late() {
    let mut forger = Scripted::says("forger", 1).at(9_000_000);
    forger.thousandth = Time(NOW.0 - 8_999_000_000);
    let answer = access(&[Scripted::says("a", 0), forger, Scripted::says("c", 0)]).unwrap();
    assert_eq!((answer.block, answer.agree), (996, 2));
}

#[test]
fn two_are_not_lured_to_an_old_block_that_is_within_the_lag() {
    // Slow blocks: 60 of them are ten minutes, so the honest one finds block 936 too old.
    struct Slow<'a>(&'a Scripted);
    impl Rpc for Slow<'_> {
        fn name(&self) -> &str {
            self.0.name
        }
        async fn chain_id(&self) -> Result<u64, RpcError> {
            Ok(CHAIN)
        }
        async fn block(&self, at: At) -> Result<Head, RpcError> {
            let head = (&self.0).block(at).await?;
            let forged = self.0.head == Ok(940);
            let age = if forged { 0 } else { (1000 - head.number) * 10 };
            Ok(Head { timestamp: Time::from_secs(NOW.secs() - age), ..head })
        }
        async fn call(&self, to: Address, data: &Bytes, at: At) -> Result<Bytes, RpcError> {
            (&self.0).call(to, data, at).await
        }
    }
    let (honest, forger) = (Scripted::says("honest", 1), Scripted::says("forger", 1).at(940));
    let communities = Communities::new(registry(CHAIN), vec![Slow(&honest), Slow(&forger)]);
    let problems = undecided(block_on(communities.access(1, &[ALICE], NOW)));
    let age = Duration::from_secs(640);
    assert_eq!(problems, named("honest", Problem::Stale { block: 936, age }));
}

#[test]
fn endpoints_of_another_chain_are_named() {
    let endpoints =
        [Scripted::says("a", 1), Scripted::says("b", 1), Scripted::says("eth", 1).on_chain(1)];
    let answer = access(&endpoints).unwrap();
    let problem = Problem::WrongChain { expected: CHAIN, found: 1 };
    assert_eq!(answer.problems, named("eth", problem));
}

#[test]
fn if_all_are_frozen_or_early_the_message_speaks_of_the_clock() {
    for seconds in [NOW.secs() - 121, NOW.secs() + 121] {
        let mut off = Scripted::says("https://a.example", 1);
        off.thousandth = Time::from_secs(seconds);
        let error = access(&[off]).unwrap_err();
        assert!(matches!(&error, ReadError::Quorum(QuorumError::Unreachable { .. })), "{error}");
        let text = error.to_string();
        assert!(text.contains("https://a.example stands at block 1000"), "{text}");
        assert!(text.contains("clock"), "{text}");
    }
}

#[test]
fn nobody_reachable_is_said_so_with_each_reason() {
    let endpoints = [
        Scripted::says("https://a.example", 1).fails(RpcError::Timeout),
        Scripted::says("https://b.example", 1)
            .fails(RpcError::Refused { code: 429, message: "slow down".to_owned() }),
    ];
    let text = access(&endpoints).unwrap_err().to_string();
    assert!(text.contains("https://a.example did not answer in time"), "{text}");
    assert!(text.contains("https://b.example refused to answer: slow down (429)"), "{text}");
}

#[test]
fn without_endpoints_the_message_names_the_key() {
    let error = access(&[]).unwrap_err();
    assert_eq!(error, ReadError::Quorum(QuorumError::NoEndpoint));
    assert!(error.to_string().contains("chain.rpc"));
}

#[test]
fn unknown_roles_wrong_lengths_and_garbage_are_malformed() {
    let garbage = [
        abi::accessCall::abi_encode_returns(&vec![4]),
        abi::accessCall::abi_encode_returns(&vec![1, 1]),
        vec![0xff; 31],
        vec![0xff; 96],
    ];
    for bytes in garbage {
        let bad = Scripted::says("bad", 1).returns(Ok(bytes));
        let answer = access(&[Scripted::says("a", 1), bad, Scripted::says("c", 1)]).unwrap();
        assert!(
            matches!(&answer.problems[..], [(name, Problem::Rpc(RpcError::Malformed(_)))] if name == "bad"),
            "{:?}",
            answer.problems
        );
    }
}

#[test]
fn however_much_an_endpoint_sends_messages_stay_short() {
    let flood = Scripted::says("flood", 1).returns(Ok(vec![0xff; 100_000]));
    let text = access(&[flood]).unwrap_err().to_string();
    assert!(text.len() < 1000, "{} bytes", text.len());
    let data = Bytes::from(vec![0xff; 100_000]);
    let flood = Scripted::says("flood", 1).returns(Err(RpcError::Reverted { data }));
    let text = access(&[flood]).unwrap_err().to_string();
    assert!(text.len() < 1000, "{} bytes", text.len());
}

#[test]
fn an_address_without_a_contract_is_named() {
    let endpoints =
        [Scripted::says("a", 1).returns(Ok(vec![])), Scripted::says("b", 1).returns(Ok(vec![]))];
    let error = access(&endpoints).unwrap_err();
    let address = Address::from([0xC0; 20]);
    assert_eq!(error, ReadError::Quorum(QuorumError::NoContract { chain: CHAIN, address }));
}

#[test]
fn an_unknown_community_is_told_from_other_trouble() {
    let data: Bytes = abi::UnknownCommunity { id: 1, count: 0 }.abi_encode().into();
    let reverts =
        |name| Scripted::says(name, 1).returns(Err(RpcError::Reverted { data: data.clone() }));
    let error = access(&[reverts("a"), reverts("b")]).unwrap_err();
    assert_eq!(error, ReadError::UnknownCommunity { id: 1, count: 0 });
}

#[test]
fn on_a_development_chain_age_does_not_count_and_the_head_itself_is_asked() {
    let mut dev = Scripted::says("dev", 1).on_chain(31337).at(2);
    dev.thousandth = Time::default();
    let answer = access_on(31337, &[dev]).unwrap();
    assert_eq!((answer.value, answer.block), (vec![Role::Member], 2));
}

#[test]
fn on_a_development_chain_one_far_behind_is_named() {
    let dev = |name, head| Scripted::says(name, 1).on_chain(31337).at(head);
    let answer = access_on(31337, &[dev("a", 100), dev("b", 100), dev("frozen", 35)]).unwrap();
    assert_eq!(answer.block, 100);
    assert_eq!(answer.problems, named("frozen", Problem::Behind { block: 35, others: 100 }));
    assert_eq!(access_on(31337, &[dev("a", 100), dev("b", 36)]).unwrap().block, 36);
}

#[test]
fn one_that_did_not_answer_is_left_alone_for_a_while() {
    let endpoints = [
        Scripted::says("a", 1),
        Scripted::says("b", 1),
        Scripted::says("c", 1).fails(RpcError::Timeout),
    ];
    let communities = Communities::new(registry(CHAIN), endpoints.iter().collect());
    let asked = || endpoints[2].asked.lock().unwrap().len();
    let problems = named("c", RpcError::Timeout.into());
    let read = |now| block_on(communities.access(1, &[ALICE], now)).unwrap().problems;
    assert_eq!((read(NOW), asked()), (problems.clone(), 1));
    assert_eq!(
        (read(NOW + Duration::from_secs(1)), asked()),
        (problems.clone(), 1),
        "left alone, and named"
    );
    assert_eq!((read(NOW + BENCH), asked()), (problems, 2), "asked again");
}

#[test]
fn nobody_is_left_alone_who_is_needed() {
    let endpoints = [Scripted::says("a", 1), Scripted::says("b", 1).fails(RpcError::Timeout)];
    let communities = Communities::new(registry(CHAIN), endpoints.iter().collect());
    for asked in 1..=3 {
        undecided(block_on(communities.access(1, &[ALICE], NOW)));
        assert_eq!(endpoints[1].asked.lock().unwrap().len(), asked);
    }
}

#[test]
fn the_version_comes_from_another_endpoint_each_time() {
    let version = |name, v: u64| {
        Scripted::says(name, 0).returns(Ok(abi::versionCall::abi_encode_returns(&v)))
    };
    let endpoints = [version("a", 5), version("b", 6), version("c", 7)];
    let communities = Communities::new(registry(CHAIN), endpoints.iter().collect());
    let heard: Vec<_> = (0..4).map(|_| block_on(communities.version(1, NOW)).unwrap()).collect();
    assert_eq!(heard, [5, 6, 7, 5]);
}

#[test]
fn the_version_comes_from_the_next_if_one_fails_or_is_elsewhere() {
    let version =
        |name| Scripted::says(name, 0).returns(Ok(abi::versionCall::abi_encode_returns(&9)));
    let endpoints = [version("a").fails(RpcError::Timeout), version("b").on_chain(1), version("c")];
    let communities = Communities::new(registry(CHAIN), endpoints.iter().collect());
    assert_eq!(block_on(communities.version(1, NOW)), Ok(9));
    let none = Communities::new(registry(CHAIN), endpoints[..2].iter().collect());
    let error = block_on(none.version(1, NOW)).unwrap_err();
    assert!(
        matches!(error, ReadError::Quorum(QuorumError::Unreachable { problems }) if problems.len() == 2)
    );
}
