//! `/chats/meet/1`: how devices find each other at a relay.
//!
//! A device opens one stream to the relay and enters 32-byte tags. The relay answers each with the
//! devices now connected under it and then pushes every arrival and departure. Entries die with
//! the connection, and nothing lists tags. Frames are deterministic CBOR behind a varint length
//! ([`crate::frame`]); whoever sends anything else has its stream closed.

pub(crate) mod client;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod server;

use chats_core::id::{DeviceKey, MeetTag};
use minicbor::{Decode, Encode};

/// The protocol's name.
pub const PROTOCOL: &str = "/chats/meet/1";
/// The longest frame, either way.
pub const MAX_FRAME: usize = 4 * 1024;
/// Tags that one connection may enter.
pub const MAX_TAGS: usize = 16;
/// Devices in one answer; of more, so many are drawn at random.
pub const MAX_PRESENT: usize = 32;

/// What a device says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// Enter a tag; answered by [`Reply::Present`] or [`Reply::Refused`]. Entering it again is
    /// answered again and changes nothing.
    #[n(0)]
    Enter(#[n(0)] MeetTag),
}

/// What a relay says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// Entered; these others are there, at most [`MAX_PRESENT`].
    #[n(0)]
    Present(#[n(0)] MeetTag, #[n(1)] Vec<DeviceKey>),
    /// A device entered.
    #[n(1)]
    Arrived(#[n(0)] MeetTag, #[n(1)] DeviceKey),
    /// A device's last connection under the tag ended.
    #[n(2)]
    Left(#[n(0)] MeetTag, #[n(1)] DeviceKey),
    /// Not entered.
    #[n(3)]
    Refused(#[n(0)] MeetTag, #[n(1)] Refusal),
}

/// Which bound an entry would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[cbor(index_only)]
pub enum Refusal {
    /// [`MAX_TAGS`] of this connection.
    #[error("too many tags on one connection")]
    #[n(0)]
    Tags,
    /// Entries of this IP address.
    #[error("too many devices from this address")]
    #[n(1)]
    Address,
    /// Devices under this tag.
    #[error("too many devices under this tag")]
    #[n(2)]
    Devices,
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::wire;

    #[test]
    fn the_longest_reply_fits_a_frame() {
        let full = Reply::Present(MeetTag([1; 32]), vec![DeviceKey([2; 32]); MAX_PRESENT]);
        let bytes = wire::encode(&full);
        assert!(bytes.len() <= MAX_FRAME);
        assert_eq!(wire::decode::<Reply>("reply", &bytes), Ok(full));
    }

    #[test]
    fn a_request_is_written_as_number_and_fields() {
        let bytes = wire::encode(&Request::Enter(MeetTag([3; 32])));
        assert_eq!(bytes[..5], [0x82, 0x00, 0x81, 0x58, 0x20]);
        assert_eq!(bytes.len(), 37);
    }
}
