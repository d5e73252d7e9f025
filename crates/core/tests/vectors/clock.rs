use crate::{check, moment};
use chats_core::hlc::{Arrival, Hlc, HybridClock};
use chats_core::time::Time;
use serde_json::{Value, json};

const NOW: Time = Time(1_767_225_600_000);

fn ticks() -> Vec<Value> {
    let full = Hlc(Hlc::at(NOW).0 | 0xffff);
    let cases = [Hlc(0), Hlc::at(NOW), full, Hlc::at(Time(NOW.0 + 1000))].map(|seen| (seen, NOW));
    let set_back = [(Hlc::at(NOW), Time(1))];
    cases
        .into_iter()
        .chain(set_back)
        .map(|(seen, now)| {
            let mut clock = HybridClock::default();
            clock.see(seen);
            json!({ "seen": moment(seen), "now": now.0, "new": moment(clock.tick(now)) })
        })
        .collect()
}

fn arrivals() -> Vec<Value> {
    [0, 300_000, 300_001, 86_400_000, 86_400_001]
        .into_iter()
        .map(|ahead| {
            let hlc = Hlc::at(Time(NOW.0 + ahead));
            let verdict = match hlc.arrival(NOW) {
                Arrival::Due => json!("due"),
                Arrival::Waits { until } => json!({ "waits until": until.0 }),
                Arrival::Refused => json!("refused"),
            };
            json!({ "hlc": moment(hlc), "now": NOW.0, "verdict": verdict })
        })
        .collect()
}

#[test]
fn clocks() {
    check("clock", &json!({ "ticks": ticks(), "arrivals": arrivals() }));
}
