//! What `/chats/sync/1` does, through its public face alone.

#[path = "sync/converging.rs"]
mod converging;
#[path = "sync/device.rs"]
mod device;
#[path = "sync/world.rs"]
mod world;
