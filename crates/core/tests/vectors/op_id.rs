use crate::{bytes, check, hex, moment};
use chats_core::hlc::Hlc;
use chats_core::op::OpId;
use serde_json::{Value, json};

#[test]
fn op_ids() {
    let cases = [(0, vec![]), (0x019b_76da_a800_0001, bytes::<80>("one").to_vec())];
    let vectors: Vec<Value> = cases
        .into_iter()
        .map(|(hlc, signed)| {
            let id = OpId::of(Hlc(hlc), &signed);
            assert_eq!(OpId::parse(&id.to_string()), Some(id));
            json!({
                "hlc": moment(Hlc(hlc)),
                "signed": hex(signed),
                "id": hex(id.0),
                "text": id.to_string(),
            })
        })
        .collect();
    check("op-id", &json!(vectors));
}
