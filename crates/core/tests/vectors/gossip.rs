use crate::{bytes, check, hex};
use chats_core::epoch::{EpochKeys, EpochSecret, RoomTag};
use chats_core::fixtures::{COMMUNITY, NOW};
use chats_core::gossip::GossipMessage;
use chats_core::hlc::Hlc;
use chats_core::id::{DeviceKey, DeviceSecret};
use chats_core::op::OpId;
use chats_core::rooms::{RoomGossip, SealedTyping};
use chats_core::wire;
use serde_json::{Value, json};

const ROOM: RoomTag = RoomTag([0x77; 16]);

/// A frame as it is published, and what it says.
fn frame(name: &str, fields: Value, said: &RoomGossip) -> Value {
    let message = wire::encode(said);
    let frame = wire::encode(&GossipMessage::Rooms { message: message.clone().into() });
    let read = wire::decode::<GossipMessage>("gossip", &frame).unwrap();
    assert_eq!(read, GossipMessage::Rooms { message: message.clone().into() });
    assert_eq!(wire::decode::<RoomGossip>("gossip of rooms", &message).as_ref(), Ok(said));
    json!({ "message": name, "fields": fields, "bytes": hex(message), "frame": hex(frame) })
}

#[test]
fn gossip_of_rooms() {
    let id = OpId::of(Hlc::at(NOW), b"an op");
    let device = DeviceSecret::from_seed(&bytes("a device"));
    let secret = EpochSecret::new(bytes("a secret"));
    let epoch = secret.id(ROOM, 3, 1, DeviceKey(bytes("an author")));
    let keys = EpochKeys::derive(&secret, &epoch);
    let typing = SealedTyping::seal(COMMUNITY, ROOM, &device, &keys, bytes("a nonce"), NOW);
    let opened = typing.open(COMMUNITY, &keys).unwrap();
    let vectors = json!({
        "frames": [
            frame("op", json!({ "op": "010203" }), &RoomGossip::Op(vec![1, 2, 3].into())),
            frame("item", json!({ "item": "040506" }), &RoomGossip::Item(vec![4, 5, 6].into())),
            frame(
                "have",
                json!({ "set": hex(ROOM.0), "id": hex(id.0) }),
                &RoomGossip::Have { set: ROOM.0, id },
            ),
            frame(
                "typing",
                json!({
                    "room tag": hex(ROOM.0),
                    "epoch secret": hex(secret.bytes()),
                    "epoch id": hex(epoch.0),
                    "nonce": hex(typing.nonce),
                    "device seed": hex(*device.seed()),
                    "time": NOW.0,
                    "typing": hex(wire::encode(&opened)),
                }),
                &RoomGossip::Typing(typing.clone()),
            ),
        ],
    });
    check("gossip", &vectors);
}
