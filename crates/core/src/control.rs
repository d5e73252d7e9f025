//! What a community keeps besides its ops: certificates, the keys of its rooms and to whom they
//! were sealed.
//!
//! Each [`ControlItem`] says something by itself, in whatever order it comes. [`ControlItem::check`]
//! judges all that can be judged from its bytes alone; what the others and the contract make of it
//! is for the [`devices`](crate::devices) and the [`keyring`](crate::keyring).

mod bad_wrap;
mod cut_head;
mod grant;
mod page;
mod prekey;
mod record;
mod request;
mod revoke;
mod signed;

pub use bad_wrap::BadWrap;
pub use cut_head::CutHead;
pub use grant::Grant;
pub use page::{Wrap, WrapPage};
pub use prekey::{Prekey, PrekeyPublic};
pub use record::{Cause, Charter, Cut, EpochRecord, PageRef, RoomKind};
pub use request::KeyRequest;
pub use revoke::Revoke;

use crate::certificate::{CertificateError, DeviceCertificate};
use crate::epoch::RoomTag;
use crate::hlc::{Arrival, Hlc};
use crate::id::{Community, DeviceKey};
use crate::op::OpId;
use crate::time::{Duration, Time};
use crate::wire;
use minicbor::{Decode, Encode};

/// How long what helps to hand out keys is kept and used: prekeys, pages, requests and grants.
pub const HANDOUT_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// One thing that the members of a community keep and pass on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ControlItem {
    /// A wallet vouches for a device.
    #[n(0)]
    Certificate(#[n(0)] DeviceCertificate),
    /// A wallet takes that back.
    #[n(1)]
    Revoke(#[n(0)] Revoke),
    /// What keys are sealed to a device with.
    #[n(2)]
    Prekey(#[n(0)] Prekey),
    /// A room's keys for a time.
    #[n(3)]
    Record(#[n(0)] Box<EpochRecord>),
    /// These keys, sealed to devices.
    #[n(4)]
    Page(#[n(0)] WrapPage),
    /// A device asks for keys.
    #[n(5)]
    Request(#[n(0)] KeyRequest),
    /// Another one answers.
    #[n(6)]
    Grant(#[n(0)] Grant),
    /// A device got a key that is not right.
    #[n(7)]
    BadWrap(#[n(0)] BadWrap),
    /// An op that a cut left out, but that was here before.
    #[n(8)]
    CutHead(#[n(0)] CutHead),
}

/// Why a control item is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Not the bytes of one.
    #[error(transparent)]
    Wire(#[from] wire::WireError),
    /// Longer than allowed.
    #[error("the {what} is {size} bytes long, more than {max}")]
    Size {
        /// What it is.
        what: &'static str,
        /// How long, in bytes.
        size: usize,
        /// How long it may be, in bytes.
        max: usize,
    },
    /// Its parts are not as many, or not in the order, that they must be.
    #[error("the {what} breaks the rules of its form: {why}")]
    Form {
        /// What it is.
        what: &'static str,
        /// Which rule.
        why: &'static str,
    },
    /// Of another community or registry.
    #[error("the {0} is of another community")]
    OtherCommunity(&'static str),
    /// From the future: worth another look when its time has come.
    #[error("the {0} is from more than five minutes ahead: check the clock")]
    Early(&'static str),
    /// Not signed by whom it names.
    #[error("the {0} is not signed by whom it names")]
    Signature(&'static str),
    /// A certificate that does not count.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl ControlItem {
    /// The longest that any may be, in bytes.
    pub const MAX_SIZE: usize = 60 * 1024;

    /// Reads an item from bytes of others. Signatures are checked by [`Self::check`].
    ///
    /// # Errors
    /// [`ControlError::Wire`] and [`ControlError::Size`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ControlError> {
        let fits = |what, max| {
            let size = bytes.len();
            if size > max { Err(ControlError::Size { what, size, max }) } else { Ok(()) }
        };
        fits("control item", Self::MAX_SIZE)?;
        let item: Self = wire::decode("control item", bytes)?;
        fits(item.name(), item.max_size())?;
        Ok(item)
    }

    /// The item as it is passed on.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Its id: its time, and a hash of its bytes. Ids follow each other in time.
    #[must_use]
    pub fn id(&self) -> OpId {
        OpId::of(Hlc::at(self.time()), &self.encode())
    }

    /// What it is, for messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::Revoke(_) => "revocation",
            Self::Prekey(_) => "prekey",
            Self::Record(_) => "epoch record",
            Self::Page(_) => "wrap page",
            Self::Request(_) => "key request",
            Self::Grant(_) => "grant",
            Self::BadWrap(_) => "bad-wrap notice",
            Self::CutHead(_) => "cut head",
        }
    }

    /// The longest that one of its kind may be, in bytes.
    #[must_use]
    pub const fn max_size(&self) -> usize {
        match self {
            Self::Page(_) => Self::MAX_SIZE,
            Self::Grant(_) => 16 * 1024,
            // A smart account's signature takes up to 4 kB.
            Self::Certificate(_) => 5 * 1024,
            _ => 4 * 1024,
        }
    }

    /// When it was made, by the clock of whoever made it.
    #[must_use]
    pub const fn time(&self) -> Time {
        match self {
            Self::Certificate(it) => Time::from_secs(it.statement.issued),
            Self::Revoke(it) => it.time,
            Self::Prekey(it) => it.time,
            Self::Record(it) => it.time,
            Self::Page(it) => it.time,
            Self::Request(it) => it.time,
            Self::Grant(it) => it.time,
            Self::BadWrap(it) => it.time,
            Self::CutHead(it) => it.time,
        }
    }

    /// The device that made it or that it is of, and whose budget it counts in. A page is its
    /// record's, a revocation its wallet's.
    #[must_use]
    pub const fn device(&self) -> Option<DeviceKey> {
        Some(match self {
            Self::Certificate(it) => it.statement.device,
            Self::Prekey(it) => it.device,
            Self::Record(it) => it.author,
            Self::Request(it) => it.device,
            Self::Grant(it) => it.from,
            Self::BadWrap(it) => it.device,
            Self::CutHead(it) => it.holder,
            Self::Revoke(_) | Self::Page(_) => return None,
        })
    }

    /// The room that it is about. A page is of its record's.
    #[must_use]
    pub const fn room(&self) -> Option<RoomTag> {
        Some(match self {
            Self::Record(it) => it.room_tag,
            Self::Request(it) => it.room_tag,
            Self::Grant(it) => it.room_tag,
            Self::BadWrap(it) => it.room_tag,
            Self::CutHead(it) => it.room_tag,
            Self::Certificate(_) | Self::Revoke(_) | Self::Prekey(_) | Self::Page(_) => {
                return None;
            }
        })
    }

    /// Whether it is dropped at `now`: what handed out keys [`HANDOUT_LIFE`] after it was made, all
    /// else never.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        let passing =
            matches!(self, Self::Prekey(_) | Self::Page(_) | Self::Request(_) | Self::Grant(_));
        passing && now.since(self.time()) > HANDOUT_LIFE
    }

    /// Judges what its bytes tell by themselves: that it keeps to the rules of its form, belongs to
    /// `community`, is not from the future and is signed by whom it names. A certificate may have
    /// expired: it still tells whose its device was.
    ///
    /// # Errors
    /// The first [`ControlError`] that applies, the cheapest first.
    pub fn check(&self, community: Community, now: Time) -> Result<(), ControlError> {
        let name = self.name();
        let form = |rule: Result<(), &'static str>| {
            rule.map_err(|why| ControlError::Form { what: name, why })
        };
        if matches!(Hlc::at(self.time()).arrival(now), Arrival::Waits { .. } | Arrival::Refused) {
            return Err(ControlError::Early(name));
        }
        let (of, signed) = match self {
            Self::Certificate(it) => {
                let issued = Time::from_secs(it.statement.issued);
                it.check(it.statement.device, community.registry, issued)?;
                return Ok(it.check_wallet()?);
            }
            Self::Revoke(it) => (community, it.is_signed()),
            Self::Page(it) => return form(it.form()),
            Self::Prekey(it) => (community, it.is_signed()),
            Self::Record(it) => {
                form(it.form())?;
                (it.community, it.is_signed())
            }
            Self::Request(it) => {
                form(it.form())?;
                (it.community, it.is_signed())
            }
            Self::Grant(it) => (it.community, it.is_signed()),
            Self::BadWrap(it) => (it.community, it.is_signed()),
            Self::CutHead(it) => {
                form(it.form())?;
                (it.community, it.is_signed())
            }
        };
        if of != community {
            return Err(ControlError::OtherCommunity(name));
        }
        if signed { Ok(()) } else { Err(ControlError::Signature(name)) }
    }
}

/// Whether all of `items` follow each other in a strict order, and are at most `max`.
fn ascend<T, K: Ord>(items: &[T], max: usize, key: impl Fn(&T) -> K) -> bool {
    items.len() <= max && items.is_sorted_by(|a, b| key(a) < key(b))
}

#[cfg(test)]
mod tests;
