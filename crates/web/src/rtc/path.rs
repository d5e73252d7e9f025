//! What way a connection takes, by its statistics (W3C webrtc-stats).

use crate::js::get;
use js_sys::Map;
use wasm_bindgen::JsValue;

/// Whether the pair of candidates in use has a TURN server at either end.
pub(super) fn is_relayed(report: &Map) -> bool {
    let mut chosen = JsValue::UNDEFINED;
    let mut selected = JsValue::UNDEFINED;
    report.for_each(&mut |entry, _| match get(&entry, "type").as_string().as_deref() {
        Some("transport") => chosen = get(&entry, "selectedCandidatePairId"),
        // Firefox names no pair in the transport, and marks the pair instead.
        Some("candidate-pair") if get(&entry, "selected").is_truthy() => selected = entry,
        _ => {}
    });
    let pair = if chosen.is_undefined() { selected } else { report.get(&chosen) };
    ["localCandidateId", "remoteCandidateId"].into_iter().any(|end| {
        let candidate = report.get(&get(&pair, end));
        get(&candidate, "candidateType").as_string().as_deref() == Some("relay")
    })
}
