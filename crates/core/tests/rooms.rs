//! What rooms do, through their public face alone.

#[path = "rooms/backup.rs"]
mod backup;
#[path = "rooms/devices.rs"]
mod devices;
#[path = "rooms/keeping.rs"]
mod keeping;
#[path = "rooms/person.rs"]
mod person;
#[path = "rooms/removal.rs"]
mod removal;
#[path = "rooms/shrinking.rs"]
mod shrinking;
#[path = "rooms/talking.rs"]
mod talking;
#[path = "rooms/town.rs"]
mod town;
