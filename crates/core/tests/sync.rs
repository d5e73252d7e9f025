//! What `/chats/sync/1` does, through its public face alone.

#[path = "sync/converging.rs"]
mod converging;
#[path = "sync/cost.rs"]
mod cost;
#[path = "sync/device.rs"]
mod device;
#[path = "sync/eve.rs"]
mod eve;
#[path = "sync/hostile.rs"]
mod hostile;
#[path = "sync/keeping.rs"]
mod keeping;
#[path = "sync/sessions.rs"]
mod sessions;
#[path = "sync/sketches.rs"]
mod sketches;
#[path = "sync/world.rs"]
mod world;
