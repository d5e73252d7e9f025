//! The checked-in bytecode, run by revm: deployed, written to, read back through the bindings.
#![allow(missing_docs)]

use alloy_primitives::{Address, B256, Bytes, TxKind, keccak256};
use alloy_sol_types::{SolCall, SolError, SolValue};
use chats_chain::abi::Communities as abi;
use chats_chain::{Answer, At, Communities, Head, ReadError, Rpc, RpcError, calls};
use chats_core::access::{Role, Standing};
use chats_core::id::{Registry, Wallet};
use chats_core::seats::{self, Seats};
use chats_core::time::Time;
use futures::executor::block_on;
use revm::context::result::{ExecutionResult, Output};
use revm::context::{Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::{ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext};
use std::cell::RefCell;

const OWNER: Wallet = Wallet([0xA0; 20]);
const MODERATOR: Wallet = Wallet([0xA1; 20]);
const MEMBER: Wallet = Wallet([0xA2; 20]);
const STRANGER: Wallet = Wallet([0xA9; 20]);
const START: u64 = 1_800_000_000;
const NOW: Time = Time::from_secs(START);

type Db = CacheDB<EmptyDB>;

/// A chain in memory with the registry on it, and an endpoint for it.
struct Chain {
    db: RefCell<Db>,
    registry: Address,
}

impl Chain {
    fn new() -> Self {
        let chain = Self { db: RefCell::default(), registry: Address::ZERO };
        let result = chain.run(OWNER, TxKind::Create, calls::deploy(), true);
        let ExecutionResult::Success { output: Output::Create(code, Some(registry)), .. } = result
        else {
            panic!("not deployed: {result:?}");
        };
        assert_eq!(code, *abi::DEPLOYED_BYTECODE);
        Self { registry, ..chain }
    }

    fn run(&self, from: Wallet, to: TxKind, data: Bytes, keep: bool) -> ExecutionResult {
        let mut db = self.db.borrow_mut();
        let mut evm = Context::mainnet()
            .with_db(&mut *db)
            .modify_block_chained(|block| block.timestamp = revm::primitives::U256::from(START))
            .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
            .build_mainnet();
        let tx = TxEnv::builder()
            .caller(from.address())
            .kind(to)
            .data(data)
            .gas_limit(16_000_000)
            .build()
            .unwrap();
        if keep { evm.transact_commit(tx).unwrap() } else { evm.transact(tx).unwrap().result }
    }

    /// Gas used by a write that succeeds.
    fn gas(&self, from: Wallet, data: Bytes) -> u64 {
        let result = self.run(from, TxKind::Call(self.registry), data, true);
        assert!(result.is_success(), "{result:?}");
        result.tx_gas_used()
    }

    /// Sends a write; a revert is returned with its encoded error.
    fn send(&self, from: Wallet, data: Bytes) -> Result<(), Bytes> {
        match self.run(from, TxKind::Call(self.registry), data, true) {
            ExecutionResult::Success { .. } => Ok(()),
            ExecutionResult::Revert { output, .. } => Err(output),
            halted => panic!("{halted:?}"),
        }
    }

    fn read<C: SolCall>(&self, call: C) -> C::Return {
        let bytes = block_on((&self).call(self.registry, &call.abi_encode().into(), At::Latest));
        C::abi_decode_returns(&bytes.unwrap()).unwrap()
    }

    /// A demo community, number 1.
    fn with_community() -> Self {
        let chain = Self::new();
        chain.send(OWNER, calls::create("Demo community", "about")).unwrap();
        chain.send(OWNER, calls::set_roles(1, &[MODERATOR], Role::Moderator)).unwrap();
        chain.send(MODERATOR, calls::set_roles(1, &[MEMBER], Role::Member)).unwrap();
        chain
    }

    fn communities(&self) -> Communities<&Self> {
        let registry = Registry { chain: 31337, contract: self.registry.into() };
        Communities::new(registry, vec![self])
    }

    fn roles(&self, wallets: &[Wallet]) -> Vec<Role> {
        block_on(self.communities().access(1, wallets, NOW)).unwrap().value
    }
}

impl Rpc for &Chain {
    fn name(&self) -> &'static str {
        "revm"
    }

    async fn chain_id(&self) -> Result<u64, RpcError> {
        Ok(31337)
    }

    async fn block(&self, _: At) -> Result<Head, RpcError> {
        Ok(Head { number: 9, timestamp: NOW, hash: B256::ZERO })
    }

    async fn call(&self, to: Address, data: &Bytes, _: At) -> Result<Bytes, RpcError> {
        match self.run(STRANGER, TxKind::Call(to), data.clone(), false) {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            ExecutionResult::Revert { output, .. } => Err(RpcError::Reverted { data: output }),
            halted => panic!("{halted:?}"),
        }
    }
}

#[test]
fn a_community_is_made_and_its_roles_are_read() {
    let chain = Chain::with_community();
    assert_eq!(
        chain.roles(&[OWNER, MODERATOR, MEMBER, STRANGER]),
        [Role::Owner, Role::Moderator, Role::Member, Role::None]
    );
    chain.send(MODERATOR, calls::set_roles(1, &[MEMBER, STRANGER], Role::Banned)).unwrap();
    assert_eq!(chain.roles(&[MEMBER, STRANGER]), [Role::Banned, Role::Banned]);
}

#[test]
fn the_changes_replay_to_the_digest_of_the_record() {
    let chain = Chain::with_community();
    chain.send(OWNER, calls::set_paused(1, true)).unwrap();
    chain.send(OWNER, calls::set_paused(1, false)).unwrap();
    chain.send(MODERATOR, calls::set_roles(1, &[MEMBER], Role::Banned)).unwrap();
    let communities = chain.communities();
    let record = block_on(communities.community(1, NOW)).unwrap().value;
    let head = seats::Head { version: record.version, rolling: record.rolling };
    // Page by page, as a long list is read.
    let mut changes = Vec::new();
    while let page = block_on(communities.changes(1, changes.len() as u64, 2, NOW)).unwrap().value
        && !page.is_empty()
    {
        changes.extend(page);
    }
    let mut seats = Seats::default();
    seats.replace(0, &changes, head).unwrap();
    assert_eq!(seats.compare(head), seats::Compared::Same);
    assert_eq!(seats.role(MEMBER, 3), Some(Role::Member));
    assert_eq!(seats.role(MEMBER, head.version), Some(Role::Banned));
}

#[test]
fn a_long_history_is_read_to_its_end_and_from_anywhere() {
    let chain = Chain::with_community();
    for part in 0..5_u8 {
        let wallets: Vec<_> = (0..120_u8)
            .map(|number| {
                let mut bytes = [part + 1; 20];
                bytes[19] = number;
                Wallet(bytes)
            })
            .collect();
        chain.send(OWNER, calls::set_roles(1, &wallets, Role::Member)).unwrap();
    }
    let communities = chain.communities();
    let (changes, head) = block_on(communities.history(1, 0, NOW)).unwrap();
    assert_eq!((head.version, changes.len()), (603, 603));
    let mut seats = Seats::default();
    seats.replace(0, &changes, head).unwrap();
    assert_eq!(seats.compare(head), seats::Compared::Same);
    let (later, same) = block_on(communities.history(1, 600, NOW)).unwrap();
    assert_eq!((later.as_slice(), same), (&changes[600..], head));
    // Nothing follows what is not there yet.
    assert_eq!(block_on(communities.history(1, 700, NOW)), Ok((Vec::new(), head)));
}

#[test]
fn the_record_reads_back_whole() {
    let chain = Chain::with_community();
    chain.send(OWNER, calls::set_name(1, "Renamed")).unwrap();
    chain.send(OWNER, calls::set_profile(1, &"p".repeat(4096))).unwrap();
    chain.send(OWNER, calls::set_metadata(1, Some([5; 32]))).unwrap();
    chain.send(OWNER, calls::offer_owner(1, Some(MEMBER))).unwrap();
    chain.send(OWNER, calls::set_paused(1, true)).unwrap();
    let Answer { value: record, block, sources, .. } =
        block_on(chain.communities().community(1, NOW)).unwrap();
    assert_eq!((block, sources), (9, 1));
    assert_eq!((record.name.as_str(), record.profile.len()), ("Renamed", 4096));
    assert_eq!((record.owner, record.pending_owner), (OWNER, Some(MEMBER)));
    assert_eq!((record.members, record.seats, record.version), (3, 3, 4));
    assert_eq!((record.paused, record.metadata, record.created), (true, Some([5; 32]), NOW));
    assert_eq!(block_on(chain.communities().version(1, NOW)), Ok(4));
    chain.send(OWNER, calls::set_metadata(1, None)).unwrap();
    chain.send(OWNER, calls::offer_owner(1, None)).unwrap();
    let record = block_on(chain.communities().community(1, NOW)).unwrap().value;
    assert_eq!((record.metadata, record.pending_owner), (None, None));
}

#[test]
fn standings_hold_roles_and_cutoffs() {
    let chain = Chain::with_community();
    let cutoff = Time::from_secs(START - 1);
    chain.send(MEMBER, calls::set_device_cutoff(cutoff)).unwrap();
    let standings = block_on(chain.communities().standings(1, &[STRANGER, MEMBER], NOW));
    assert_eq!(
        standings.unwrap().value,
        [
            Standing { role: Role::None, device_cutoff: Time::default() },
            Standing { role: Role::Member, device_cutoff: cutoff },
        ]
    );
    let read = block_on(chain.communities().device_cutoff(MEMBER, NOW)).unwrap();
    assert_eq!(read.value, cutoff);
}

#[test]
fn the_changes_replay_to_version_rolling_and_seats() {
    let chain = Chain::with_community();
    chain.send(MODERATOR, calls::set_roles(1, &[STRANGER, MEMBER], Role::Banned)).unwrap();
    chain.send(OWNER, calls::set_paused(1, true)).unwrap();
    chain.send(OWNER, calls::set_paused(1, false)).unwrap();
    chain.send(OWNER, calls::set_roles(1, &[MEMBER], Role::None)).unwrap();
    chain.send(OWNER, calls::offer_owner(1, Some(MODERATOR))).unwrap();
    chain.send(MODERATOR, calls::accept_owner(1)).unwrap();
    chain.send(OWNER, calls::leave(1)).unwrap();

    let changes = chain.read(abi::changesCall {
        id: 1,
        from: Default::default(),
        n: revm::primitives::U256::from(100),
    });
    let kinds: Vec<_> = changes.iter().map(|c| (Wallet::from(c.account), c.kind)).collect();
    assert_eq!(
        kinds,
        [
            (OWNER, 3),
            (MODERATOR, 2),
            (MEMBER, 1),
            (STRANGER, 255),
            (MEMBER, 255),
            (OWNER, 16),
            (OWNER, 17),
            (MEMBER, 0),
            (OWNER, 2),
            (MODERATOR, 3),
            (OWNER, 0),
        ]
    );
    let rolling = changes.iter().zip(1_u64..).fold(B256::ZERO, |rolling, (change, version)| {
        keccak256((rolling, u16::from(change.kind), change.account, version).abi_encode())
    });
    let record = block_on(chain.communities().community(1, NOW)).unwrap().value;
    assert_eq!((record.version, record.rolling), (11, rolling.0));
    assert_eq!(chain.read(abi::rollingCall { id: 1 }), rolling);

    let seats = chain.read(abi::seatsCall {
        id: 1,
        from: Default::default(),
        n: revm::primitives::U256::MAX,
    });
    let seats: Vec<_> = seats.iter().map(|s| (Wallet::from(s.account), s.role)).collect();
    assert_eq!(seats.len(), 2);
    assert!(seats.contains(&(MODERATOR, 3)) && seats.contains(&(STRANGER, 255)));
}

#[test]
fn refusals_carry_their_reason() {
    let chain = Chain::with_community();
    let refusal = chain.send(STRANGER, calls::set_roles(1, &[STRANGER], Role::Member)).unwrap_err();
    let reason = abi::NotAllowed::abi_decode(&refusal).unwrap();
    assert_eq!((reason.caller, reason.role, reason.needed), (STRANGER.address(), 0, 2));
    let refusal = chain.send(STRANGER, calls::create(&"n".repeat(65), "")).unwrap_err();
    assert!(abi::NameLength::abi_decode(&refusal).is_ok());
}

#[test]
fn a_community_that_is_not_there_is_said_so() {
    let chain = Chain::with_community();
    let error = block_on(chain.communities().community(7, NOW)).unwrap_err();
    assert_eq!(error, ReadError::UnknownCommunity { id: 7, count: 1 });
}

/// `count` wallets that are nobody else's.
fn wallets(count: u8) -> Vec<Wallet> {
    let wallet = |n| {
        let mut bytes = [0x40; 20];
        bytes[19] = n;
        Wallet(bytes)
    };
    (0..count).map(wallet).collect()
}

#[test]
fn writes_cost_what_the_table_says() {
    let chain = Chain::new();
    let deploy = chain.run(OWNER, TxKind::Create, calls::deploy(), false).tx_gas_used();
    // The first community also makes the counter's slot.
    chain.gas(OWNER, calls::create("First", ""));
    let create = |name, profile| chain.gas(OWNER, calls::create(name, profile));
    let set = |from, list: &[Wallet], role| chain.gas(from, calls::set_roles(1, list, role));
    let (one, ten) = (&wallets(1), &wallets(10));
    let measured = [
        ("deploy", deploy),
        ("create, no profile", create("Demo community", "")),
        ("create, profile of 256 B", create("Demo community", &"p".repeat(256))),
        ("create, profile of 4,096 B", create("Demo community", &"p".repeat(4096))),
        ("setRoles, add 1", set(OWNER, one, Role::Member)),
        ("setRoles, remove 1", set(OWNER, one, Role::None)),
        ("setRoles, add 10", set(OWNER, ten, Role::Member)),
        ("setRoles, ban 1 member", set(OWNER, one, Role::Banned)),
        ("setRoles, lift 1 ban", set(OWNER, one, Role::None)),
        ("setRoles, make 1 moderator", set(OWNER, &ten[1..2], Role::Moderator)),
        ("setRoles, remove 9", set(OWNER, &ten[1..], Role::None)),
        ("setRoles, add 100", set(OWNER, &wallets(100), Role::Member)),
        ("setRoles, remove 100", set(OWNER, &wallets(100), Role::None)),
        ("setRoles, add 200", set(OWNER, &wallets(200), Role::Member)),
        ("leaveCommunity", chain.gas(ten[5], calls::leave(1))),
        ("setPaused", chain.gas(OWNER, calls::set_paused(1, true))),
        ("setMetadata", chain.gas(OWNER, calls::set_metadata(1, Some([1; 32])))),
        ("setDeviceCutoff", chain.gas(MEMBER, calls::set_device_cutoff(NOW))),
        ("offerOwner", chain.gas(OWNER, calls::offer_owner(1, Some(ten[6])))),
        ("acceptOwner", chain.gas(ten[6], calls::accept_owner(1))),
    ];
    let readme = include_str!("../../../contracts/README.md");
    let rows = measured.map(|(what, gas)| format!("| {what} | {} |", grouped(gas)));
    let missing: Vec<_> = rows.iter().filter(|row| !readme.contains(*row)).collect();
    assert!(missing.is_empty(), "contracts/README.md lacks these rows: {missing:#?}");
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
