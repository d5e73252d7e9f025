//! Small parts that pages are made of. They take values and callbacks and know nothing of the
//! engine.

mod address;
mod badge;
mod card;
mod copy;
mod dialog;
mod each;
mod field;
mod icon;
mod live;
mod microphone;
mod moment;
mod notice;
mod portrait;
mod press;
mod tile;
mod words;

pub use address::ShortAddress;
pub use badge::Badge;
pub use card::{Panel, Skeleton};
pub use copy::CopyButton;
pub use dialog::Dialog;
pub use each::{When, changing, each, saying};
pub use field::{TextField, Typed, typed};
pub use icon::Icon;
pub use live::{Live, LiveRegion};
pub use microphone::{LevelMeter, MicrophoneSelect, percent};
pub use moment::{Moment, Now};
pub use notice::{Banner, NoticeCard};
pub use portrait::Portrait;
pub use press::{Button, IconButton, press};
pub use tile::Tile;
pub use words::words;
