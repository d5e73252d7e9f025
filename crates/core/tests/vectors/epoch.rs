use crate::{bytes, check, hex};
use chats_core::epoch::{EpochId, EpochKeys, EpochSecret, RoomId};
use chats_core::id::DeviceSecret;
use chats_core::seal::SealKey;
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key as RFC 5869 makes it.
pub(crate) fn key(secret: &EpochSecret, id: EpochId, purpose: &str) -> [u8; 32] {
    let mut key = [0; 32];
    let source = Hkdf::<Sha256>::new(Some(&id.0), secret.bytes());
    source.expand(purpose.as_bytes(), &mut key).expect("it is short");
    key
}

fn sealed_with(key: &SealKey) -> Vec<u8> {
    let mut buffer = b"the same key seals the same".to_vec();
    key.seal(&[0; 24], b"", &mut buffer);
    buffer
}

fn case(label: &str, version: u64, generation: u16) -> Value {
    let room = RoomId::new(bytes(&format!("{label} room")));
    let secret = EpochSecret::new(bytes(&format!("{label} secret")));
    let author = DeviceSecret::from_seed(&bytes("author")).device();
    let id = secret.id(room.tag(), version, generation, author);
    let keys = EpochKeys::derive(&secret, &id);
    let key = |purpose| key(&secret, id, purpose);
    for (ours, purpose) in
        [(keys.header(), "header/1"), (keys.body(), "body/1"), (keys.presence(), "presence/1")]
    {
        let other = SealKey::new(Zeroizing::new(key(purpose)));
        assert_eq!(sealed_with(ours), sealed_with(&other), "{purpose}");
    }
    let write_key = DeviceSecret::from_seed(&key("write/1")).device();
    assert_eq!(keys.write_key().0, write_key.0);
    let nonce = bytes(&format!("{label} room nonce"));
    let sealed_room = keys.seal_room(&room, nonce);
    let mut sealed = room.bytes().to_vec();
    SealKey::new(Zeroizing::new(key("room/1"))).seal(&nonce, &id.0, &mut sealed);
    assert_eq!(sealed, sealed_room.sealed);
    assert_eq!(keys.open_room(&sealed_room, room.tag()).as_ref(), Some(&room));
    json!({
        "room id": hex(room.bytes()),
        "room tag": hex(room.tag().0),
        "secret": hex(secret.bytes()),
        "version": version,
        "generation": generation,
        "author": hex(author.0),
        "epoch id": hex(id.0),
        "write/1": hex(key("write/1")),
        "write key": hex(write_key.0),
        "header/1": hex(key("header/1")),
        "body/1": hex(key("body/1")),
        "presence/1": hex(key("presence/1")),
        "room/1": hex(key("room/1")),
        "room nonce": hex(nonce),
        "sealed room": hex(sealed),
    })
}

#[test]
fn epochs() {
    check("epoch", &json!([case("first", 1, 0), case("later", 0x0102_0304_0506, 65_535)]));
}
