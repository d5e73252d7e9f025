//! What reads the answers of a chain's endpoint.

use alloy_primitives::{Address, B256, Bytes};
use chats_chain::{At, Communities, Head, Rpc, RpcError};
use chats_core::{
    id::{Registry, Wallet},
    time::Time,
};
use futures::executor::block_on;
use std::cell::Cell;

const NOW: Time = Time(1_767_225_600_000);
const REGISTRY: Registry = Registry { chain: 31337, contract: Wallet([0xc0; 20]) };
/// How often the endpoint answers.
const ANSWERS: usize = 16;

/// An endpoint that answers with these bytes, one after the other and then from the first.
struct Endpoint<'a> {
    answers: Vec<&'a [u8]>,
    /// It says that the contract refuses, with the bytes as the reason.
    reverts: bool,
    asked: Cell<usize>,
}

impl Rpc for &Endpoint<'_> {
    fn name(&self) -> &'static str {
        "endpoint"
    }

    async fn chain_id(&self) -> Result<u64, RpcError> {
        Ok(REGISTRY.chain)
    }

    async fn block(&self, at: At) -> Result<Head, RpcError> {
        let number = match at {
            At::Latest => 1000,
            At::Number(number) => number,
        };
        Ok(Head { number, timestamp: NOW, hash: B256::ZERO })
    }

    async fn call(&self, _: Address, _: &Bytes, _: At) -> Result<Bytes, RpcError> {
        let asked = self.asked.replace(self.asked.get() + 1);
        let answer = self.answers.get(asked % self.answers.len().max(1));
        let data = Bytes::copy_from_slice(answer.copied().unwrap_or_default());
        match asked {
            ANSWERS.. => Err(RpcError::Timeout),
            _ if self.reverts => Err(RpcError::Reverted { data }),
            _ => Ok(data),
        }
    }
}

/// The first byte says what is asked and whether the contract refuses; then come the answers, each
/// with its length in two bytes before it.
pub(crate) fn read_answers(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let mut answers = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (answer, next) = behind.split_at(length);
        answers.push(answer);
        rest = next;
    }
    let endpoint = Endpoint { answers, reverts: kind & 0x80 != 0, asked: Cell::new(0) };
    let chain = Communities::new(REGISTRY, vec![&endpoint]);
    let wallets = [Wallet([1; 20]), Wallet([2; 20])];
    match kind & 7 {
        0 => drop(block_on(chain.access(1, &wallets, NOW))),
        1 => drop(block_on(chain.standings(1, &wallets, NOW))),
        2 => drop(block_on(chain.community(1, NOW))),
        3 => {
            if let Ok(page) = block_on(chain.changes(1, 0, 3, NOW)) {
                assert!(page.value.len() <= 3, "more changes than were asked for");
            }
        }
        4 => drop(block_on(chain.history(1, 0, NOW))),
        5 => drop(block_on(chain.device_cutoff(Wallet([1; 20]), NOW))),
        _ => drop(block_on(chain.version(1, NOW))),
    }
}
