//! Questions to the `Communities` contract.

use crate::abi::Communities as abi;
use crate::quorum::{Answer, Quorum, QuorumError};
use crate::rpc::Rpc;
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolError};
use chats_core::access::{Role, Standing};
use chats_core::id::{Registry, Wallet};
use chats_core::seats::{self, Change, Seats};
use chats_core::time::Time;

/// How many changes are asked for in one call. Each takes an endpoint two reads of storage.
const PAGE: u64 = 512;

/// A community's record. The texts are whatever its owner wrote: show them as text, and bytes
/// that are no UTF-8 as replacement characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommunityRecord {
    /// Its name, at most 64 bytes.
    pub name: String,
    /// Its profile, at most 4,096 bytes.
    pub profile: String,
    /// Who owns it.
    pub owner: Wallet,
    /// To whom it is being handed over.
    pub pending_owner: Option<Wallet>,
    /// How many wallets are member, moderator or owner.
    pub members: u64,
    /// How many wallets are listed: the members and the banned.
    pub seats: u64,
    /// Whether members are shut out for now.
    pub paused: bool,
    /// How many changes of seats and pause there were.
    pub version: u64,
    /// The digest of these changes.
    pub rolling: [u8; 32],
    /// A pointer to further data, such as an Arweave id.
    pub metadata: Option<[u8; 32]>,
    /// When it was made.
    pub created: Time,
}

/// Why a question to the contract has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The endpoints gave none.
    #[error(transparent)]
    Quorum(QuorumError),
    /// The registry has no community of this number.
    #[error("there is no community {id} in this registry, which has {count}")]
    UnknownCommunity {
        /// The number asked for.
        id: u64,
        /// How many there are; their numbers start at 1.
        count: u64,
    },
}

impl From<QuorumError> for ReadError {
    fn from(error: QuorumError) -> Self {
        if let QuorumError::Reverted { data } = &error
            && let Ok(abi::UnknownCommunity { id, count }) = abi::UnknownCommunity::abi_decode(data)
        {
            return Self::UnknownCommunity { id, count };
        }
        Self::Quorum(error)
    }
}

/// A `Communities` contract, read through a quorum of endpoints.
#[derive(Debug)]
pub struct Communities<R> {
    contract: Address,
    quorum: Quorum<R>,
}

impl<R: Rpc> Communities<R> {
    /// The contract of `registry`, on its chain, through `endpoints`.
    #[must_use]
    pub fn new(registry: Registry, endpoints: Vec<R>) -> Self {
        let contract = registry.contract.address();
        Self { contract, quorum: Quorum::new(registry.chain, endpoints) }
    }

    /// The endpoints, for questions to other contracts of the same chain.
    #[must_use]
    pub const fn quorum(&self) -> &Quorum<R> {
        &self.quorum
    }

    /// The roles of `wallets` in community `id`, in their order; at most a few hundred at once.
    ///
    /// # Errors
    /// See [`ReadError`]. An answer with an unknown role counts as malformed.
    pub async fn access(
        &self,
        id: u64,
        wallets: &[Wallet],
        now: Time,
    ) -> Result<Answer<Vec<Role>>, ReadError> {
        let accounts = addresses(wallets);
        let decode = |roles: Vec<u8>| read_roles(&roles, wallets.len());
        self.read(&abi::accessCall { id, accounts }, decode, now).await
    }

    /// The roles and device cutoffs of `wallets` in community `id`, in their order, in one call;
    /// at most a few hundred at once.
    ///
    /// # Errors
    /// As [`Self::access`].
    pub async fn standings(
        &self,
        id: u64,
        wallets: &[Wallet],
        now: Time,
    ) -> Result<Answer<Vec<Standing>>, ReadError> {
        let accounts = addresses(wallets);
        let decode = |abi::standingsReturn { roles, cutoffs }| {
            let roles = read_roles(&roles, wallets.len())?;
            if cutoffs.len() != roles.len() {
                return Err(format!("{} cutoffs for {} wallets", cutoffs.len(), roles.len()));
            }
            let both = roles.into_iter().zip(cutoffs);
            Ok(both
                .map(|(role, cutoff)| Standing { role, device_cutoff: Time::from_secs(cutoff) })
                .collect())
        };
        self.read(&abi::standingsCall { id, accounts }, decode, now).await
    }

    /// The record of community `id`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn community(
        &self,
        id: u64,
        now: Time,
    ) -> Result<Answer<CommunityRecord>, ReadError> {
        self.read(&abi::communityCall { id }, |view| Ok(read_record(view)), now).await
    }

    /// Up to `most` of the changes of community `id` that follow `version`, in their order. They
    /// are to be checked against the `rolling` of a [record](Self::community).
    ///
    /// # Errors
    /// See [`ReadError`]. More than `most` changes count as malformed.
    pub async fn changes(
        &self,
        id: u64,
        version: u64,
        most: u64,
        now: Time,
    ) -> Result<Answer<Vec<Change>>, ReadError> {
        let call = abi::changesCall { id, from: U256::from(version), n: U256::from(most) };
        let decode = |page: Vec<abi::Change>| {
            if u64::try_from(page.len()).is_ok_and(|len| len <= most) {
                return Ok(page.into_iter().map(read_change).collect());
            }
            Err(format!("{} changes, {most} were asked for", page.len()))
        };
        self.read(&call, decode, now).await
    }

    /// All changes of community `id` that follow `version`, and what they lead to by the word of a
    /// record read before them. No more than [`Seats`] holds are read.
    ///
    /// # Errors
    /// As [`Self::changes`].
    pub async fn history(
        &self,
        id: u64,
        version: u64,
        now: Time,
    ) -> Result<(Vec<Change>, seats::Head), ReadError> {
        let record = self.community(id, now).await?.value;
        let head = seats::Head { version: record.version, rolling: record.rolling };
        let last = head.version.min(Seats::MAX_CHANGES);
        let (mut changes, mut next) = (Vec::new(), version);
        while next < last {
            let page = self.changes(id, next, PAGE.min(last - next), now).await?.value;
            if page.is_empty() {
                // The endpoints are behind what they said before; the digest will tell.
                break;
            }
            next += page.len() as u64;
            changes.extend(page);
        }
        Ok((changes, head))
    }

    /// The device cutoff of a wallet, the epoch if it never set one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn device_cutoff(
        &self,
        wallet: Wallet,
        now: Time,
    ) -> Result<Answer<Time>, ReadError> {
        let call = abi::deviceCutoffCall { wallet: wallet.address() };
        self.read(&call, |cutoff| Ok(Time::from_secs(cutoff)), now).await
    }

    /// The version of community `id` by the word of one endpoint, another one each time: enough
    /// to learn that something changed, not to act on.
    ///
    /// # Errors
    /// [`ReadError::Quorum`] if no endpoint answers, or none knows the community.
    pub async fn version(&self, id: u64, now: Time) -> Result<u64, ReadError> {
        let data = Bytes::from(abi::versionCall { id }.abi_encode());
        Ok(self.quorum.hint(self.contract, &data, returns::<abi::versionCall>, now).await?)
    }

    async fn read<C: SolCall, T: PartialEq>(
        &self,
        call: &C,
        read: impl Fn(C::Return) -> Result<T, String>,
        now: Time,
    ) -> Result<Answer<T>, ReadError> {
        let data = Bytes::from(call.abi_encode());
        let decode = |bytes: &[u8]| returns::<C>(bytes).and_then(&read);
        Ok(self.quorum.read(self.contract, &data, decode, now).await?)
    }
}

fn returns<C: SolCall>(bytes: &[u8]) -> Result<C::Return, String> {
    C::abi_decode_returns(bytes).map_err(|error| {
        format!("{} bytes that {} does not return: {error}", bytes.len(), C::SIGNATURE)
    })
}

fn addresses(wallets: &[Wallet]) -> Vec<Address> {
    wallets.iter().map(|wallet| wallet.address()).collect()
}

fn read_roles(roles: &[u8], wanted: usize) -> Result<Vec<Role>, String> {
    if roles.len() != wanted {
        return Err(format!("{} roles for {wanted} wallets", roles.len()));
    }
    let read = |role: &u8| Role::from_contract(*role).ok_or(format!("{role} is no role"));
    roles.iter().map(read).collect()
}

fn read_change(change: abi::Change) -> Change {
    let time = Time::from_secs(change.time.to());
    Change { account: change.account.into(), kind: change.kind, time }
}

fn read_record(view: abi::CommunityView) -> CommunityRecord {
    let pending = Wallet::from(view.pendingOwner);
    CommunityRecord {
        name: view.name,
        profile: view.profile,
        owner: view.owner.into(),
        pending_owner: (view.pendingOwner != Address::ZERO).then_some(pending),
        members: view.members,
        seats: view.seats,
        paused: view.paused,
        version: view.version,
        rolling: view.rolling.0,
        metadata: (!view.metadata.is_zero()).then_some(view.metadata.0),
        created: Time::from_secs(view.created),
    }
}
