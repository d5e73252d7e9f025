//! Small parts that pages are made of. They take values and callbacks and know nothing of the
//! engine.

mod address;
mod badge;
mod card;
mod copy;
mod dialog;
mod each;
mod icon;
mod live;
mod microphone;
mod notice;
mod portrait;
mod tile;

pub use address::ShortAddress;
pub use badge::Badge;
pub use card::{Panel, Skeleton};
pub use copy::CopyButton;
pub use dialog::Dialog;
pub use each::{When, each};
pub use icon::Icon;
pub use live::{Live, LiveRegion};
pub use microphone::{LevelMeter, MicrophoneSelect, percent};
pub use notice::{Banner, NoticeCard};
pub use portrait::Portrait;
pub use tile::Tile;
