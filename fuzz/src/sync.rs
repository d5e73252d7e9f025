//! What reads the words of another device in a sync session: its frames, and negentropy and
//! sketches in them.

use chats_core::{
    epoch::RoomTag,
    hlc::Hlc,
    id::DeviceKey,
    op::OpId,
    store::SetId,
    sync::{
        IdSet, Input, Output, Sessions, Sets, Short, SyncMessage, Window,
        wire::{RoomOffer, TagHash},
    },
    time::{Duration, Time},
    wire,
};
use std::collections::VecDeque;

const OWN: DeviceKey = DeviceKey([1; 32]);
const OTHER: DeviceKey = DeviceKey([2; 32]);
const ROOM: RoomTag = RoomTag([3; 16]);
const NOW: Time = Time(1_767_225_600_000);
/// The most that one input may have a device do at once.
const MAX_OUTPUTS: usize = 64;

/// The first byte says who leads, the others are messages.
pub(crate) fn read_session(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let mut device = Device::new();
    device.handle(Input::Passed(OTHER), Time(NOW.0 - 3000));
    let leads = first & 1 == 1;
    if leads {
        device.handle(Input::Tick, NOW);
    }
    let salt = [4; 16];
    let rooms =
        vec![RoomOffer { tag: TagHash::of(ROOM, &salt, OTHER, OWN), horizon: Hlc::default() }];
    device.hear(&match leads {
        true => SyncMessage::Welcome { salt, rooms },
        false => SyncMessage::Hello { salt, rooms },
    });
    while let Some(([kind, set, long, short], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*long, *short])).min(more.len());
        let (bytes, next) = more.split_at(length);
        device.take(*kind, u16::from(set % 3), bytes);
        rest = next;
    }
}

struct Device {
    sessions: Sessions,
    known: Known,
    tasks: VecDeque<Output>,
    /// What it asked about last.
    window: Window,
}

struct Known {
    control: IdSet,
    room: IdSet,
}

impl Sets for Known {
    fn rooms(&self) -> Vec<RoomTag> {
        vec![ROOM]
    }

    fn set(&self, set: SetId) -> Option<&IdSet> {
        Some(if set == SetId::CONTROL { &self.control } else { &self.room })
    }

    fn id(&self, _: SetId, item: &[u8]) -> Option<OpId> {
        Some(OpId(*item.first_chunk()?))
    }
}

impl Device {
    fn new() -> Self {
        let id = |at: u64| OpId::of(Hlc::at(Time(NOW.0 - at)), &at.to_be_bytes());
        Self {
            sessions: Sessions::new(OWN, [5; 32]),
            known: Known { control: (0..3).map(id).collect(), room: (0..300).map(id).collect() },
            tasks: VecDeque::new(),
            window: Window::ALL,
        }
    }

    fn take(&mut self, kind: u8, set: u16, bytes: &[u8]) {
        let ids = || bytes.chunks_exact(32).map(|id| OpId(id.try_into().unwrap_or([0; 32])));
        let window = self.window;
        match kind % 12 {
            0 => self.handle(Input::Frame { from: OTHER, frame: bytes.to_vec() }, NOW),
            1 => {
                let negentropy = bytes.to_vec().into();
                self.hear(&SyncMessage::Reconcile { set, window, negentropy });
            }
            2 => self.hear(&SyncMessage::Fetch { set, ids: ids().collect() }),
            3 => {
                let items = bytes.chunks(40).map(|item| item.to_vec().into()).collect();
                self.hear(&SyncMessage::Items { set, items });
            }
            4 => self.hear(&SyncMessage::Committed { set, ids: ids().collect() }),
            5 => self.hear(&SyncMessage::Done { set, window }),
            6 => self.handle(Input::Tick, NOW + Duration::from_secs(u64::from(set) * 40)),
            7 => {
                let cells = bytes.to_vec().into();
                self.hear(&SyncMessage::Sketch { set, window, known: 300, cells });
            }
            8 => {
                let shorts = bytes
                    .chunks_exact(8)
                    .map(|it| u64::from_be_bytes(it.try_into().unwrap_or([0; 8])));
                let lack = shorts.map(Short).collect();
                self.hear(&SyncMessage::Difference { set, window, have: Vec::new(), lack });
            }
            9 => self.hear(&SyncMessage::Difference {
                set,
                window,
                have: ids().collect(),
                lack: Vec::new(),
            }),
            10 => {
                let cells = bytes.first_chunk().map_or(0, |it| u16::from_be_bytes(*it));
                self.hear(&SyncMessage::Again { set, window, cells });
            }
            _ => self.work(),
        }
    }

    fn hear(&mut self, message: &SyncMessage) {
        self.handle(Input::Frame { from: OTHER, frame: wire::encode(message) }, NOW);
    }

    /// The store does what it was asked to first.
    fn work(&mut self) {
        match self.tasks.pop_front() {
            Some(Output::Load { ticket, ids, .. }) => {
                let items = ids.iter().map(|id| id.0.to_vec()).collect();
                self.handle(Input::Loaded { ticket, items }, NOW);
            }
            Some(Output::Received { ticket, items, .. }) => {
                let ids: Vec<OpId> = items.iter().map(|(id, _)| *id).collect();
                self.known.room.extend(ids.iter().copied());
                self.handle(Input::Committed { ticket, ids, invalid: 0 }, NOW);
            }
            _ => {}
        }
    }

    fn handle(&mut self, input: Input, now: Time) {
        self.sessions.handle(input, now, &self.known);
        let mut outputs = 0;
        while let Some(output) = self.sessions.poll() {
            outputs += 1;
            match output {
                Output::Load { .. } | Output::Received { .. } => self.tasks.push_back(output),
                Output::Send { frame, .. } => match SyncMessage::read(&frame) {
                    Ok(
                        SyncMessage::Reconcile { window, .. } | SyncMessage::Sketch { window, .. },
                    ) => {
                        self.window = window;
                    }
                    read => assert!(read.is_ok(), "it said what nobody reads"),
                },
                _ => {}
            }
        }
        assert!(outputs <= MAX_OUTPUTS, "{outputs} outputs");
    }
}
