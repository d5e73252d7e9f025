//! What a node does, through its public face alone.

#[path = "node/arbitrary.rs"]
mod arbitrary;
#[path = "node/gossip.rs"]
mod gossip;
#[path = "node/hearing.rs"]
mod hearing;
#[path = "node/hello.rs"]
mod hello;
#[path = "node/hostile.rs"]
mod hostile;
#[path = "node/links.rs"]
mod links;
#[path = "node/meeting.rs"]
mod meeting;
#[path = "node/mending.rs"]
mod mending;
#[path = "node/pair.rs"]
mod pair;
#[path = "node/passing.rs"]
mod passing;
#[path = "node/relaying.rs"]
mod relaying;
#[path = "node/resting.rs"]
mod resting;
#[path = "node/rooms.rs"]
mod rooms;
#[path = "node/stage.rs"]
mod stage;
#[path = "node/time.rs"]
mod time;
