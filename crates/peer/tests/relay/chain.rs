//! A chain in memory: the contract's own bytecode, run by revm, behind JSON-RPC over HTTP.

use alloy_primitives::{Address, Bytes, TxKind, hex};
use chats_chain::{abi::Communities as abi, calls};
use chats_core::{
    access::Role,
    fixtures::{REGISTRY, TestWallet},
    id::Wallet,
};
use revm::{
    ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{Context, TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

type Db = CacheDB<EmptyDB>;

/// The registry of the fixtures' certificates, at its address, with one community: number 1.
#[derive(Clone)]
pub struct Chain {
    db: Arc<Mutex<Db>>,
    /// Where it answers.
    pub url: String,
    /// A `config.json` that names it.
    pub config: String,
}

/// Owns the community.
const OWNER: Wallet = Wallet([0xA0; 20]);

impl Chain {
    pub async fn start(members: &[&TestWallet]) -> Self {
        let mut db = Db::default();
        let code = Bytecode::new_raw(abi::DEPLOYED_BYTECODE.clone());
        let contract = AccountInfo::default().with_code(code);
        db.insert_account_info(REGISTRY.contract.address(), contract);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = json!({
            "version": 1,
            "name": "Demo community",
            "community": "1",
            "chain": {
                "id": REGISTRY.chain,
                "communities": REGISTRY.contract.to_string(),
                "rpc": [url],
            },
            "relays": ["/ip4/127.0.0.1/tcp/9090/ws/p2p/12D3KooW"],
            "ice": [],
        });
        let chain = Self { db: Arc::new(Mutex::new(db)), url, config: config.to_string() };
        chain.send(OWNER, calls::create("Demo community", "about"));
        let members: Vec<_> = members.iter().map(|wallet| wallet.address()).collect();
        chain.set(&members, Role::Member);
        tokio::spawn(chain.clone().serve(listener));
        chain
    }

    pub fn set(&self, wallets: &[Wallet], role: Role) {
        self.send(OWNER, calls::set_roles(1, wallets, role));
    }

    fn send(&self, from: Wallet, data: Bytes) {
        let result = self.run(from, REGISTRY.contract.address(), data, true);
        assert!(result.is_success(), "{result:?}");
    }

    fn run(&self, from: Wallet, to: Address, data: Bytes, keep: bool) -> ExecutionResult {
        let mut db = self.db.lock().unwrap();
        let mut evm = Context::mainnet()
            .with_db(&mut *db)
            .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
            .build_mainnet();
        let tx = TxEnv::builder()
            .caller(from.address())
            .kind(TxKind::Call(to))
            .data(data)
            .gas_limit(16_000_000)
            .build()
            .unwrap();
        if keep { evm.transact_commit(tx).unwrap() } else { evm.transact(tx).unwrap().result }
    }

    async fn serve(self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let chain = self.clone();
            // Clients come and go as they like.
            tokio::spawn(async move { chain.connection(stream).await });
        }
    }

    async fn connection(&self, stream: TcpStream) -> Option<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        loop {
            let mut length = 0;
            let mut first = true;
            let mut get = false;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                get |= first && line.starts_with("GET ");
                first = false;
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).await.ok()?;
            // The page's server and the chain's endpoint in one.
            let answer = if get {
                self.config.clone()
            } else {
                self.answer(&serde_json::from_slice(&body).ok()?).to_string()
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            writer.write_all((head + &answer).as_bytes()).await.ok()?;
        }
    }

    fn answer(&self, request: &Value) -> Value {
        let result = match request["method"].as_str() {
            Some("eth_chainId") => json!(format!("{:#x}", REGISTRY.chain)),
            Some("eth_getBlockByNumber") => json!({
                "number": "0x9", "timestamp": "0x1", "hash": format!("0x{}", "11".repeat(32)),
            }),
            Some("eth_call") => {
                let call = &request["params"][0];
                let to: Address = call["to"].as_str().unwrap().parse().unwrap();
                let data: Bytes = call["input"].as_str().unwrap().parse().unwrap();
                match self.run(Wallet([0; 20]), to, data, false) {
                    ExecutionResult::Success { output, .. } => {
                        json!(hex::encode_prefixed(output.into_data()))
                    }
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?} is not asked of a chain here"),
        };
        json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })
    }
}
