//! The alloy endpoint, over HTTP on loopback, with answers shaped like those of real nodes.
#![allow(missing_docs)]

use alloy_primitives::{Address, Bytes};
use chats_chain::{AlloyRpc, At, Communities, Rpc, RpcError};
use chats_core::id::{Registry, Wallet};
use chats_core::time::{Duration, Time};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Serves `status` and `body` to every request; the receiver gets the bodies of the requests.
/// A `body` of `None` never answers.
fn serve(status: &'static str, body: Option<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut request = vec![0; length];
            reader.read_exact(&mut request).unwrap();
            let _ = asked.send(String::from_utf8(request).unwrap());
            if let Some(body) = body {
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n");
                let rest =
                    format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                reader.get_mut().write_all((head + &rest).as_bytes()).unwrap();
            } else {
                open.push(reader);
            }
        }
    });
    (url, requests)
}

fn answers(body: &'static str) -> (AlloyRpc, Receiver<String>) {
    let (url, requests) = serve("200 OK", Some(body));
    (AlloyRpc::http(&url, TIMEOUT).unwrap(), requests)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn call(rpc: &AlloyRpc) -> Result<Bytes, RpcError> {
    rpc.call(Address::from([0xC0; 20]), &Bytes::from_static(&[1, 2, 3, 4]), At::Number(255)).await
}

#[test]
fn a_read_names_contract_data_and_block() {
    let (rpc, requests) = answers(r#"{"jsonrpc":"2.0","id":0,"result":"0x0506"}"#);
    assert_eq!(run(call(&rpc)), Ok(Bytes::from_static(&[5, 6])));
    let asked: serde_json::Value = serde_json::from_str(&requests.recv().unwrap()).unwrap();
    assert_eq!(asked["method"], "eth_call");
    assert_eq!(asked["params"][0]["to"], "0xc0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0");
    assert_eq!(asked["params"][0]["input"], "0x01020304");
    assert_eq!(asked["params"][0]["data"], "0x01020304");
    assert_eq!(asked["params"][1], "0xff");
}

#[test]
fn blocks_are_read_whatever_else_the_chain_puts_into_them() {
    let (rpc, requests) = answers(
        r#"{"jsonrpc":"2.0","id":0,"result":{"number":"0x10d4f","timestamp":"0x6b49d200","hash":"0x00000000000000000000000000000000000000000000000000000000000000ab","l1BlockNumber":"0x1","sendCount":"0x2","transactions":[]}}"#,
    );
    let head = run(rpc.block(At::Number(68943))).unwrap();
    assert_eq!((head.number, head.timestamp), (68943, Time::from_secs(1_800_000_000)));
    let asked: serde_json::Value = serde_json::from_str(&requests.recv().unwrap()).unwrap();
    assert_eq!(asked["params"], serde_json::json!(["0x10d4f", false]));
    run(rpc.head()).unwrap();
    let asked: serde_json::Value = serde_json::from_str(&requests.recv().unwrap()).unwrap();
    assert_eq!(asked["params"], serde_json::json!(["latest", false]));
}

#[test]
fn a_block_that_is_not_known_is_no_answer() {
    let (rpc, _) = answers(r#"{"jsonrpc":"2.0","id":0,"result":null}"#);
    assert!(matches!(run(rpc.head()), Err(RpcError::Malformed(_))));
}

#[test]
fn the_chain_is_named() {
    let (rpc, _) = answers(r#"{"jsonrpc":"2.0","id":0,"result":"0xa4b1"}"#);
    assert_eq!(run(rpc.chain_id()), Ok(42161));
}

#[test]
fn a_revert_is_the_contracts_word_and_brings_its_data() {
    let (rpc, _) = answers(
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":3,"message":"execution reverted","data":"0x01020304"}}"#,
    );
    assert_eq!(
        run(call(&rpc)),
        Err(RpcError::Reverted { data: Bytes::from_static(&[1, 2, 3, 4]) })
    );
}

#[test]
fn refusals_are_passed_on_shortened_and_without_control_characters() {
    let (rpc, _) = answers(
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"limit\u001b[31m exceeded"}}"#,
    );
    let message = "limit [31m exceeded".to_owned();
    assert_eq!(run(call(&rpc)), Err(RpcError::Refused { code: -32005, message }));
    let (url, _requests) = serve("429 Too Many Requests", Some("slow down"));
    let rpc = AlloyRpc::http(&url, TIMEOUT).unwrap();
    let message = "slow down".to_owned();
    assert_eq!(run(call(&rpc)), Err(RpcError::Refused { code: 429, message }));
}

#[test]
fn what_is_no_json_rpc_is_malformed() {
    for body in ["<html>login</html>", "{}", r#"{"jsonrpc":"2.0","id":0,"result":7}"#] {
        let (rpc, _) = answers(body);
        let result = run(call(&rpc));
        assert!(matches!(result, Err(RpcError::Malformed(_))), "{body}: {result:?}");
    }
}

#[test]
fn silence_ends_in_a_timeout() {
    let (url, _requests) = serve("200 OK", None);
    let rpc = AlloyRpc::http(&url, Duration::from_millis(50)).unwrap();
    assert_eq!(run(call(&rpc)), Err(RpcError::Timeout));
}

#[test]
fn a_closed_port_is_unreachable_and_the_message_keeps_the_key_in_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let rpc = AlloyRpc::http(&format!("{origin}/v3/secret?key=secret"), TIMEOUT).unwrap();
    assert_eq!(rpc.name(), origin);
    match run(call(&rpc)) {
        Err(RpcError::Unreachable(why)) => assert!(!why.contains("secret"), "{why}"),
        other => panic!("reached: {other:?}"),
    }
}

#[test]
fn what_is_no_url_is_refused() {
    assert!(matches!(AlloyRpc::http("not a url", TIMEOUT), Err(RpcError::Malformed(_))));
}

#[test]
fn reads_can_be_spawned_on_threads() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let rpc = AlloyRpc::http("http://127.0.0.1:9/", TIMEOUT).unwrap();
    let registry = Registry { chain: 31337, contract: Wallet([0xC0; 20]) };
    let communities = Communities::new(registry, vec![rpc]);
    drop(sendable(communities.standings(1, &[], Time::default())));
    drop(sendable(communities.community(1, Time::default())));
    drop(sendable(communities.version(1, Time::default())));
}
