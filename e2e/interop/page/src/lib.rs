//! A page with nothing but a libp2p node: the stack of the app's network, on the transport of
//! `chats-webrtc`, without any of the app's own protocols. It stands for the app where that would
//! let nobody in who is not a member. `js/stranger.mjs` offers the same functions on js-libp2p.
#![cfg(target_arch = "wasm32")]

mod gossip;
mod node;
mod paths;
mod protocols;

use node::{Command, Node};
use paths::Path;
use protocols::Failed;
use std::cell::OnceCell;
use wasm_bindgen::prelude::wasm_bindgen;
use web_time::Instant;

thread_local! {
    static NODE: OnceCell<Node> = const { OnceCell::new() };
}

fn node() -> Result<Node, Failed> {
    NODE.with(|node| node.get().cloned()).ok_or_else(|| Failed("start comes first".to_owned()))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Reserves a place at a relay and gives the address under which others dial this page.
///
/// # Errors
/// If the relay does not answer or refuses.
#[wasm_bindgen]
pub async fn start(relay: String) -> Result<String, Failed> {
    console_error_panic_hook::set_once();
    let (node, address) = Node::start(&relay).await?;
    NODE.with(|place| place.set(node)).map_err(|_| Failed("started already".to_owned()))?;
    Ok(address)
}

/// What happened to streams that others opened.
///
/// # Errors
/// Before the start.
#[wasm_bindgen]
pub fn events() -> Result<Vec<String>, Failed> {
    Ok(node()?.happened())
}

/// Connects to an address, directly if it names `/webrtc`, and gives the milliseconds it took.
///
/// # Errors
/// If no connection comes of it.
#[wasm_bindgen]
pub async fn dial(address: String) -> Result<f64, Failed> {
    let started = Instant::now();
    let address = protocols::parse(&address)?;
    node()?.ask(|reply| Command::Dial { address, reply }).await??;
    Ok(milliseconds(started))
}

/// Closes all connections to a peer.
///
/// # Errors
/// Before the start.
#[wasm_bindgen(js_name = hangUp)]
pub async fn hang_up(peer: String) -> Result<(), Failed> {
    let peer = protocols::parse(&peer)?;
    node()?.ask(|reply| Command::HangUp { peer, reply }).await
}

/// How many connections there are to a peer, through relays and direct.
///
/// # Errors
/// Before the start.
#[wasm_bindgen]
pub fn connections(peer: String) -> Result<usize, Failed> {
    Ok(node()?.connections(protocols::parse(&peer)?).values().len())
}

/// Whether there is a direct connection to a peer.
///
/// # Errors
/// Before the start.
#[wasm_bindgen(js_name = isDirect)]
pub fn is_direct(peer: String) -> Result<bool, Failed> {
    let connections = node()?.connections(protocols::parse(&peer)?);
    Ok(connections.values().any(|path| *path == Path::Direct))
}

/// Gives the milliseconds there and back.
///
/// # Errors
/// If the answer is not what was sent.
#[wasm_bindgen]
pub async fn ping(peer: String) -> Result<f64, Failed> {
    let node = node()?;
    let peer = protocols::parse(&peer)?;
    let stream = node.open(Path::Direct, peer, protocols::PING).await?;
    let started = Instant::now();
    protocols::ping(stream).await?;
    Ok(milliseconds(started))
}

/// Sends this many bytes of noise and fails unless the same come back.
///
/// # Errors
/// If other bytes come, or the stream breaks.
#[wasm_bindgen]
pub async fn echo(peer: String, count: usize) -> Result<(), Failed> {
    let node = node()?;
    let peer = protocols::parse(&peer)?;
    let stream = node.open(Path::Direct, peer, protocols::ECHO).await?;
    protocols::echo(stream, &protocols::noise(count)?).await
}

/// Makes requests one after the other, each on a stream of its own that is ended by both sides, on
/// a `path` "direct" or "circuit". Gives the milliseconds that each took.
///
/// # Errors
/// If other bytes come back, or a stream breaks.
#[wasm_bindgen(js_name = roundTrips)]
pub async fn round_trips(
    peer: String,
    path: String,
    bytes: usize,
    count: usize,
) -> Result<Vec<f64>, Failed> {
    let node = node()?;
    let peer = protocols::parse(&peer)?;
    let path = if path == "direct" { Path::Direct } else { Path::Circuit };
    let noise = protocols::noise(bytes)?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let stream = node.open(path, peer, protocols::ECHO).await?;
        protocols::echo(stream, &noise).await?;
        took.push(milliseconds(started));
    }
    Ok(took)
}

/// Ends its side after this many bytes; gives how many the other says came before that.
///
/// # Errors
/// If the stream breaks.
#[wasm_bindgen(js_name = halfClose)]
pub async fn half_close(peer: String, count: usize) -> Result<u32, Failed> {
    let node = node()?;
    let peer = protocols::parse(&peer)?;
    let stream = node.open(Path::Direct, peer, protocols::HALF).await?;
    protocols::half_close(stream, count).await
}

/// Resets a stream that both sides have used.
///
/// # Errors
/// If the stream breaks before that.
#[wasm_bindgen]
pub async fn reset(peer: String) -> Result<(), Failed> {
    let node = node()?;
    let peer = protocols::parse(&peer)?;
    let stream = node.open(Path::Direct, peer, protocols::RESET).await?;
    protocols::reset(stream).await
}

/// Has the other reset a stream; gives how it ended here.
///
/// # Errors
/// If no stream can be opened.
#[wasm_bindgen(js_name = resetByOther)]
pub async fn reset_by_other(peer: String) -> Result<String, Failed> {
    let node = node()?;
    let peer = protocols::parse(&peer)?;
    let stream = node.open(Path::Direct, peer, protocols::RESET_ME).await?;
    Ok(protocols::reset_by_other(stream).await)
}

/// Publishes calls one after the other, each once the answer to the one before has come by gossip.
/// Gives the milliseconds there and back. Waits first until gossip reaches another.
///
/// # Errors
/// If an answer is missing for 10 s.
#[wasm_bindgen]
pub async fn gossip(count: u32) -> Result<Vec<f64>, Failed> {
    gossip::rounds(&node()?, count).await
}
