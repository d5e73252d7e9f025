//! Ops, put together here once more from the primitives and compared with what the core seals.

#[path = "op/refused.rs"]
mod refused;

use crate::epoch::key;
use crate::{bytes, check, hex, moment};
use chats_core::epoch::{EpochKeys, EpochSecret, RoomId};
use chats_core::fixtures::COMMUNITY;
use chats_core::hlc::Hlc;
use chats_core::id::DeviceSecret;
use chats_core::op::{Draft, Envelope, OpId, Parents, SealedOp};
use chats_core::seal::SealKey;
use minicbor::Encoder;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The moment of every op here.
const HLC: Hlc = Hlc(0x019b_76da_a800_0003);

/// Everything that an op is made of.
#[derive(Clone)]
struct Op {
    version: u64,
    suite: u64,
    hlc: Hlc,
    sequence: u64,
    previous: Option<OpId>,
    parents: Vec<OpId>,
    content_type: u16,
    content: Vec<u8>,
    /// Of the content, as the body says.
    length: usize,
    /// Zeros behind the content.
    zeros: usize,
    /// Who signs; the header names [`device`].
    signer: DeviceSecret,
}

/// The steps between an op's parts and its bytes.
struct Steps {
    context: Vec<u8>,
    body: Vec<u8>,
    sealed_body: Vec<u8>,
    message: Vec<u8>,
    header: Vec<u8>,
    sealed_header: Vec<u8>,
    signed: Vec<u8>,
    write_signature: [u8; 64],
    envelope: Vec<u8>,
}

fn room() -> RoomId {
    RoomId::new(bytes("room"))
}

fn secret() -> EpochSecret {
    EpochSecret::new(bytes("secret"))
}

fn keys() -> EpochKeys {
    let author = DeviceSecret::from_seed(&bytes("author")).device();
    EpochKeys::derive(&secret(), &secret().id(room().tag(), 7, 1, author))
}

fn device() -> DeviceSecret {
    DeviceSecret::from_seed(&bytes("device"))
}

fn random() -> [u8; 64] {
    bytes("random")
}

fn earlier(number: u64) -> OpId {
    OpId::of(Hlc(HLC.0 - number), &number.to_be_bytes())
}

fn cbor(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    bytes
}

fn list(e: &mut Encoder<&mut Vec<u8>>, ids: &[OpId]) {
    e.array(ids.len() as u64).unwrap();
    for id in ids {
        e.bytes(&id.0).unwrap();
    }
}

fn sealed(purpose: &str, nonce: &[u8], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    let key = SealKey::new(Zeroizing::new(key(&secret(), keys().id(), purpose)));
    key.seal(nonce.try_into().unwrap(), context, &mut buffer);
    buffer
}

impl Op {
    fn new(content: &[u8]) -> Self {
        Self {
            version: 1,
            suite: 1,
            hlc: HLC,
            sequence: 0,
            previous: None,
            parents: Vec::new(),
            content_type: 1,
            content: content.to_vec(),
            length: content.len(),
            zeros: 0,
            signer: device(),
        }
    }

    /// The op with as many zeros as make it so long.
    fn filled(self, size: usize) -> Self {
        let least = self.steps().envelope.len();
        // The head of the body may grow with it.
        (0..4)
            .map(|head| Self { zeros: size - least - head, ..self.clone() })
            .find(|op| op.steps().envelope.len() == size)
            .expect("it can be filled")
    }

    fn core_seals(&self) -> SealedOp {
        let (community, room, keys, device) = (&COMMUNITY, &room(), &keys(), &device());
        Draft {
            community,
            room,
            keys,
            device,
            hlc: self.hlc,
            sequence: self.sequence,
            previous: self.previous,
            parents: Parents::newest(self.parents.clone()),
            content_type: self.content_type,
            content: &self.content,
        }
        .seal(&random())
        .expect("it can be sealed")
    }

    /// What header, signature and header share: from the device to the content's type.
    fn who(&self, e: &mut Encoder<&mut Vec<u8>>) {
        e.bytes(&device().device().0).unwrap().u64(self.sequence).unwrap();
        match self.previous {
            Some(id) => e.bytes(&id.0).unwrap(),
            None => e.null().unwrap(),
        };
        list(e, &self.parents);
        e.u16(self.content_type).unwrap();
    }

    fn steps(&self) -> Steps {
        let (random, tag, epoch) = (random(), room().tag().0, keys().id().0);
        let (header_nonce, body_nonce, body_random) =
            (&random[..24], &random[24..48], &random[48..]);
        let clear = |e: &mut Encoder<&mut Vec<u8>>| {
            e.u64(self.version).unwrap().u64(self.suite).unwrap();
            e.bytes(&tag).unwrap().u64(self.hlc.0).unwrap().bytes(&epoch).unwrap();
        };
        let context = cbor(|e| {
            e.array(5).unwrap();
            clear(e);
        });
        let length = u32::try_from(self.length).unwrap().to_be_bytes();
        let body = [body_random, &length, &self.content, &vec![0; self.zeros]].concat();
        let sealed_body = sealed("body/1", body_nonce, &context, &body);
        let body_hash = blake3::hash(&sealed_body);
        let message = cbor(|e| {
            e.array(15).unwrap();
            e.array(2).unwrap().array(2).unwrap();
            e.u64(COMMUNITY.registry.chain).unwrap();
            e.bytes(&COMMUNITY.registry.contract.0).unwrap().u64(COMMUNITY.id).unwrap();
            e.bytes(room().bytes()).unwrap();
            clear(e);
            e.bytes(header_nonce).unwrap().bytes(body_nonce).unwrap();
            self.who(e);
            e.bytes(body_hash.as_bytes()).unwrap();
        });
        let message = [b"community-chats/op/1\0".as_slice(), &message].concat();
        let header = cbor(|e| {
            e.array(6).unwrap();
            self.who(e);
            e.bytes(&self.signer.sign(&message).0).unwrap();
        });
        let sealed_header = sealed("header/1", header_nonce, &context, &header);
        let signed = cbor(|e| {
            e.array(9).unwrap();
            clear(e);
            e.bytes(header_nonce).unwrap().bytes(body_nonce).unwrap();
            e.bytes(&sealed_header).unwrap().bytes(body_hash.as_bytes()).unwrap();
        });
        let write_message = [b"community-chats/write/1\0".as_slice(), &signed].concat();
        let write_signature = keys().sign_write(&write_message).0;
        let envelope = cbor(|e| {
            e.array(3).unwrap().bytes(&signed).unwrap().bytes(&sealed_body).unwrap();
            e.bytes(&write_signature).unwrap();
        });
        Steps {
            context,
            body,
            sealed_body,
            message,
            header,
            sealed_header,
            signed,
            write_signature,
            envelope,
        }
    }

    fn vector(self, size: usize) -> Value {
        let op = self.filled(size);
        let (steps, sealed) = (op.steps(), op.core_seals());
        assert_eq!(steps.envelope, sealed.bytes, "an op of {size} bytes");
        let envelope = Envelope::decode(&sealed.bytes).expect("it reads");
        let without_body = envelope.encode_without_body();
        let mut vector = json!({
            "sequence": op.sequence,
            "previous": op.previous.map_or(Value::Null, |id| hex(id.0)),
            "parents": op.parents.iter().map(|id| hex(id.0)).collect::<Vec<_>>(),
            "content type": op.content_type,
            "context": hex(steps.context),
            "sealed body's hash": hex(blake3::hash(&steps.sealed_body).as_bytes()),
            "header's message": hex(steps.message),
            "header": hex(steps.header),
            "sealed header": hex(steps.sealed_header),
            "signed": hex(steps.signed),
            "write signature": hex(steps.write_signature),
            "without body": hex(without_body),
            "id": hex(sealed.id.0),
            "size": size,
        });
        // What is long is told by its hash.
        let whole = if size > 4096 {
            json!({
                "content": { "byte": op.content[0], "times": op.content.len() },
                "envelope's hash": hex(blake3::hash(&sealed.bytes).as_bytes()),
            })
        } else {
            json!({
                "content": hex(op.content),
                "body": hex(steps.body),
                "sealed body": hex(steps.sealed_body),
                "envelope": hex(sealed.bytes),
            })
        };
        for (name, value) in whole.as_object().unwrap() {
            vector[name] = value.clone();
        }
        vector
    }
}

/// What is the same for all ops here.
fn given() -> Value {
    json!({
        "community": {
            "chain": COMMUNITY.registry.chain,
            "contract": hex(COMMUNITY.registry.contract.0),
            "number": COMMUNITY.id,
        },
        "room id": hex(room().bytes()),
        "room tag": hex(room().tag().0),
        "epoch secret": hex(secret().bytes()),
        "epoch id": hex(keys().id().0),
        "write key": hex(keys().write_key().0),
        "device seed": hex(*device().seed()),
        "device": hex(device().device().0),
        "hlc": moment(HLC),
        "header nonce": hex(&random()[..24]),
        "body nonce": hex(&random()[24..48]),
        "body's random bytes": hex(&random()[48..]),
    })
}

#[test]
fn ops() {
    let first = Op::new(b"\x83\x65hello\xf6\x80");
    let later = Op {
        sequence: 300,
        previous: Some(earlier(1)),
        parents: vec![earlier(3), earlier(2)],
        ..Op::new(b"\x81\x58\x20")
    };
    let many = Op {
        sequence: u64::MAX,
        parents: (2..10).rev().map(earlier).collect(),
        content_type: u16::MAX,
        ..later.clone()
    };
    let long = |length| Op { content: vec![0x61; length], length, ..later.clone() };
    let vectors = [
        first.vector(512),
        later.clone().vector(512),
        many.vector(1024),
        long(2000).vector(4096),
        long(10_000).vector(16_384),
        long(40_000).vector(65_536),
    ];
    check("op", &json!({ "given": given(), "ops": vectors }));
}
