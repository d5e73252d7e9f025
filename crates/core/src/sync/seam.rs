//! What goes into [`Sessions`](super::Sessions), and what comes out.

use super::ids::IdSet;
use super::window::Window;
use super::wire::End;
use crate::epoch::RoomTag;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::store::SetId;

/// What a device has.
pub trait Sets {
    /// Its rooms; those after the first [`MAX_ROOMS`](super::wire::MAX_ROOMS) are left out.
    fn rooms(&self) -> Vec<RoomTag>;

    /// What it knows of a set, or `None` if it has no such room. It has the control log.
    fn set(&self, set: SetId) -> Option<&IdSet>;

    /// The id that follows from the bytes of an item, or `None` if they are none of this set's
    /// kind. Nothing else need be checked.
    fn id(&self, set: SetId, item: &[u8]) -> Option<OpId>;
}

/// Tells answers apart: it is never the same twice.
pub type Ticket = u64;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time passed.
    Tick,
    /// A device is connected and passed hello.
    Passed(DeviceKey),
    /// It is connected no longer. What was on its way may be lost.
    Gone(DeviceKey),
    /// It has something that is not here, as it says.
    Has(DeviceKey),
    /// There is more to compare than before: a room became known.
    Renewed,
    /// It sent a frame of `/chats/sync/1`.
    Frame {
        /// Who.
        from: DeviceKey,
        /// What.
        frame: Vec<u8>,
    },
    /// The answer to [`Output::Load`].
    Loaded {
        /// Its ticket.
        ticket: Ticket,
        /// One for each id, in their order; no bytes for what is not to be had.
        items: Vec<Vec<u8>>,
    },
    /// The answer to [`Output::Received`], when the store has committed. The
    /// [`IdSet`] has the ids by now, and those that were refused.
    Committed {
        /// Its ticket.
        ticket: Ticket,
        /// Which of the items are on disk here.
        ids: Vec<OpId>,
        /// How many of the items no honest device would have sent.
        invalid: usize,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a frame of `/chats/sync/1`.
    Send {
        /// To whom.
        to: DeviceKey,
        /// What.
        frame: Vec<u8>,
    },
    /// Read items from the store; answered by one [`Input::Loaded`].
    Load {
        /// To be said with the answer.
        ticket: Ticket,
        /// Of which set.
        set: SetId,
        /// Which, at most 64.
        ids: Vec<OpId>,
    },
    /// Judge items and commit what is good to the store; answered by one [`Input::Committed`].
    Received {
        /// To be said with the answer.
        ticket: Ticket,
        /// Whose words they may be, but need not.
        from: DeviceKey,
        /// Of which set.
        set: SetId,
        /// The items with the ids that follow from their bytes, at most 128, none known before.
        items: Vec<(OpId, Vec<u8>)>,
    },
    /// These are on another device's disk, as it says.
    Delivered {
        /// Whose.
        to: DeviceKey,
        /// Of which set.
        set: SetId,
        /// Which.
        ids: Vec<OpId>,
    },
    /// All of a window that two devices could have of each other is on disk on both.
    Completed {
        /// With whom.
        with: DeviceKey,
        /// Of which set.
        set: SetId,
        /// Which part of it.
        window: Window,
        /// How many ids it named of which it gave no item. Unknown, thus none, if the other side
        /// led the session.
        missing: usize,
        /// Whether this side led the session; if not, it is the other side's word.
        led: bool,
    },
    /// A session is over.
    Ended {
        /// With whom.
        with: DeviceKey,
        /// How.
        how: Ending,
    },
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By us.
    Ours(End),
    /// By the other side, for this reason.
    Theirs(End),
    /// The connection is gone.
    Lost,
}
