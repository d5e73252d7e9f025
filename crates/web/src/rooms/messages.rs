//! What the page and its worker say to each other.

use chats_core::certificate::DeviceCertificate;
use chats_core::id::Community;
use chats_core::rooms::{Incoming, Outgoing};
use minicbor::{Decode, Encode};

/// What the worker is told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(super) enum ToWorker {
    /// Open what is kept; once, first of all.
    #[n(0)]
    Begin {
        /// Of which community.
        #[n(0)]
        community: Community,
        /// Why the device of this browser may.
        #[n(1)]
        certificate: Box<DeviceCertificate>,
    },
    /// For the rooms; answered by being counted in [`ToPage::Did`].
    #[n(1)]
    Handle(#[n(0)] Incoming),
    /// A [`ToPage::Did`] with something in it was carried out.
    #[n(2)]
    Took,
    /// Answered by [`ToPage::Here`] at once.
    #[n(3)]
    AreYouThere,
}

/// What the page is told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(super) enum ToPage {
    /// The worker listens; first of all, and whenever it is asked.
    #[n(0)]
    Here,
    /// What is kept is open.
    #[n(1)]
    Open,
    /// It cannot be opened: why, for people. It is tried again unless it would be of no use.
    #[n(2)]
    Failing(#[n(0)] String),
    /// The rooms were told things.
    #[n(3)]
    Did {
        /// How many.
        #[n(0)]
        handled: u32,
        /// What they want done. If there is anything, the answer is one [`ToWorker::Took`].
        #[n(1)]
        out: Vec<Outgoing>,
    },
}
