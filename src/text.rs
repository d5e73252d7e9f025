//! Every word on the page. Short sentences, second person, present tense.

pub mod rooms;
pub mod time;

use chats_core::access::Role;
use chats_core::id::MeetingName;

/// The app's own name, until a community gives its.
pub const APP: &str = "Community Chats";
/// Shown on a button that does a failed thing again.
pub const TRY_AGAIN: &str = "Try again";
/// Takes a notice away.
pub const DISMISS: &str = "Dismiss";
/// Gives up what is under way.
pub const CANCEL: &str = "Cancel";
/// Closes a dialog.
pub const CLOSE: &str = "Close";
/// Puts something on the clipboard.
pub const COPY: &str = "Copy";
/// Said once something is on the clipboard.
pub const COPIED: &str = "Copied";
/// Said when the browser did not let us write to the clipboard.
pub const NOT_COPIED: &str = "Your browser did not allow copying. Select the text instead.";
/// Leads to the diagnostics.
pub const DIAGNOSTICS: &str = "Diagnostics";
/// Ends the session of this device.
pub const SIGN_OUT: &str = "Sign out";

/// An error as a sentence: errors begin small and end without a stop.
pub fn sentence(error: &impl std::fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// `1 person`, `3 people`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    [n.to_string().as_str(), " ", if n == 1 { one } else { many }].concat()
}

/// A number with its thousands set apart: `21,345,678`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What people call a role.
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::None => "Guest",
        Role::Member => "Member",
        Role::Moderator => "Moderator",
        Role::Owner => "Owner",
        Role::Banned => "Banned",
    }
}

/// What people call a meeting: `Main meeting`.
pub fn meeting_title(name: &MeetingName) -> String {
    if name.as_str() == "main" {
        return "Main meeting".to_owned();
    }
    let mut words = name.as_str().replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// The frame around every page.
pub mod shell {
    /// First link of the page.
    pub const SKIP: &str = "Skip to content";
    /// Name of the navigation.
    pub const ROOMS: &str = "Rooms";
    /// The front page.
    pub const HOME: &str = "Home";
    /// The button with what concerns oneself.
    pub const ACCOUNT: &str = "Account";
    /// Name of the connection's status.
    pub const CONNECTION: &str = "Connection";
    /// No network.
    pub const OFFLINE: &str = "Offline";
    /// On the way.
    pub const CONNECTING: &str = "Connecting…";
    /// Before anyone is signed in.
    pub const NOT_YET: &str = "Not connected yet";
    /// All relays failed.
    pub const NO_RELAY: &str = "No relay reachable, trying again";
    /// The relays answer, and the clock here is wrong.
    pub const CLOCK_AHEAD: &str = "Your clock is ahead";
    /// What being offline means.
    pub const OFFLINE_HELP: &str = "You're offline. What you see may be old. You are reconnected as soon as there is a network.";
    /// What it means that no relay is reachable.
    pub const NO_RELAY_HELP: &str = "Nobody new can find you until a relay answers. Whoever you already talk with stays connected.";
    /// What it means that the clock here is ahead of the relays'.
    pub const CLOCK_AHEAD_HELP: &str = "Your clock shows a later time than the relays' clocks, so they can't be used. Set it right, and you are connected again.";
    /// Name of the list of who is there.
    pub const MEMBERS: &str = "Members online";
    /// Marks oneself in a list.
    pub const YOU: &str = "You";
    /// Nobody else is there.
    pub const ALONE: &str = "Nobody else is online right now.";

    /// What it means that no relay is reachable, to who is connected with others.
    pub const DIRECT_HELP: &str = "No relay answers. You stay connected to each other, and whoever is connected to one of you can still join. Others can't find you until a relay is back.";

    /// No relay is reachable, but members are.
    pub fn direct(members: usize) -> String {
        format!("No relay; connected to {} directly", super::count(members, "member", "members"))
    }

    /// At least one relay is reachable.
    pub fn connected(relays: usize) -> String {
        format!("Connected through {}", super::count(relays, "relay", "relays"))
    }

    /// How many devices of a wallet are online, if more than one.
    pub fn devices(n: usize) -> String {
        super::count(n, "device", "devices")
    }

    /// Name of the button that copies an address.
    pub fn copy_address(short: &str) -> String {
        format!("{short}, copy address")
    }
}

/// Before anyone is signed in.
pub mod welcome {
    /// If the community says nothing about itself.
    pub const ABOUT: &str = "A place to talk, for members of this community.";
    /// Before the owner's address.
    pub const OWNER: &str = "Run by";
    /// The one thing to press.
    pub const CONNECT: &str = "Connect wallet";
    /// What pressing it does.
    pub const CONNECT_HELP: &str = "Your wallet shows that you are a member. You sign once.";
    /// If the address leads to a meeting.
    pub const THEN_MEETING: &str = "You go to the meeting as soon as you are in.";
    /// Three plain facts: title, text.
    pub const FACTS: [(&str, &str); 3] = [
        (
            "It costs nothing",
            "Signing in is a signature, not a payment. No money moves, and no fee is due.",
        ),
        (
            "Your voice goes straight to the others",
            "No server records or stores it. The members you talk with can see your network address.",
        ),
        (
            "What is kept, and where",
            "The member list is public, on a blockchain. Your sign-in stays in this browser until you sign out.",
        ),
    ];
    /// Title of the chooser.
    pub const CHOOSE: &str = "Choose a wallet";
    /// No wallet found.
    pub const NO_WALLET: &str = "No wallet found in this browser";
    /// What to do then.
    pub const NO_WALLET_HELP: &str = "A wallet is a browser extension or an app that holds your account. Install one, then come back to this page. On a phone, open this page in the browser inside your wallet app.";
    /// Where to find one.
    pub const FIND_WALLET: &str = "Find a wallet on ethereum.org";
    /// Its address.
    pub const FIND_WALLET_URL: &str = "https://ethereum.org/en/wallets/find-wallet/";
    /// Title while the wallet is asked.
    pub const APPROVE: &str = "Approve in your wallet…";
    /// First step.
    pub const STEP_ADDRESS: &str = "Share your address";
    /// Second step.
    pub const STEP_SIGN: &str = "Sign in, with one signature";
    /// If nothing appears.
    pub const APPROVE_HELP: &str =
        "If you see nothing, open your wallet: the question may wait there.";
    /// A step that was taken; for who cannot see the tick.
    pub const STEP_DONE: &str = "done";
    /// The step under way.
    pub const STEP_NOW: &str = "now";
    /// Title of a test wallet's question.
    pub const TEST_WALLET: &str = "Test wallet";
    /// What it asks.
    pub const TEST_WALLET_ASKS: &str = "This page asks you to sign:";
    /// Yes.
    pub const APPROVE_BUTTON: &str = "Approve";
    /// No.
    pub const REJECT: &str = "Reject";
}

/// Between the door and the inside.
pub mod gate {
    use super::Role;

    /// Reading configuration and storage.
    pub const STARTING: &str = "Starting…";
    /// Asking the contract.
    pub const CHECKING: &str = "Checking your membership on chain…";
    /// No answer.
    pub const UNDECIDED: &str = "Your membership could not be checked";
    /// What that means.
    pub const UNDECIDED_HELP: &str =
        "Nothing is decided. You are still signed in; try again in a moment.";
    /// Another tab has it.
    pub const OTHER_TAB: &str = "Community Chats is open in another tab";
    /// What that means.
    pub const OTHER_TAB_HELP: &str =
        "One tab at a time can be connected. If you go on here, the other one stops.";
    /// Take over.
    pub const USE_HERE: &str = "Use here";
    /// Ask the contract again.
    pub const CHECK_AGAIN: &str = "Check again";
    /// Another one.
    pub const OTHER_WALLET: &str = "Use another wallet";
    /// When its address is not known.
    pub const THIS_WALLET: &str = "This wallet";
    /// When its name is not known.
    pub const THIS_COMMUNITY: &str = "this community";
    /// Before one's own address.
    pub const YOUR_ADDRESS: &str = "Your address";
    /// Before the owner's.
    pub const OWNER_ADDRESS: &str = "The owner's address";
    /// Copies it; the second half of the button's name.
    pub const COPY_YOURS: &str = "your address";
    /// Copies it; the second half of the button's name.
    pub const COPY_OWNERS: &str = "the owner's address";

    /// Title of a refusal. While a community is paused its members read as strangers do.
    pub fn refused_title(role: Role, paused: bool, wallet: &str, community: &str) -> String {
        match role {
            Role::Banned => format!("{wallet} is banned from {community}"),
            _ if paused => format!("{community} is paused for now"),
            _ => format!("{wallet} is not a member of {community}"),
        }
    }

    /// What would let the wallet in.
    pub const fn refused_help(role: Role, paused: bool) -> &'static str {
        match role {
            Role::Banned => {
                "A moderator has shut this wallet out. If you think that is a mistake, ask the owner or a moderator to lift the ban. Then check again."
            }
            _ if paused => {
                "Members keep their seats, but cannot come in until the owner opens the community again. Then check again."
            }
            _ => {
                "To get in, send your address to the owner or a moderator and ask them to add it. Then check again."
            }
        }
    }
}

/// The front page of whoever is in.
pub mod home {
    /// Goes to the lobby.
    pub const GO: &str = "Go to the meeting";
    /// Goes back to the call.
    pub const RETURN: &str = "Back to the meeting";
    /// Nobody in it.
    pub const EMPTY: &str = "Nobody is here yet. Be the first.";
    /// Title of where things were read.
    pub const CHECKED: &str = "Checked on chain";
    /// One endpoint only.
    pub const ONE_SOURCE: &str = "Only one source answered, so nothing else confirms it.";
    /// Not read yet.
    pub const NOT_READ: &str = "Reading the community from the chain…";

    /// Who is in the meeting.
    pub fn here(n: usize) -> String {
        super::count(n, "person is here now", "people are here now")
    }

    /// How many have a seat, and where that stands.
    pub fn read(members: u64, block: u64) -> String {
        let word = if members == 1 { "member" } else { "members" };
        format!("{} {word}, as of block {}.", super::thousands(members), super::thousands(block))
    }

    /// How many endpoints agree.
    pub fn agree(sources: u8) -> String {
        if sources == 1 { ONE_SOURCE.to_owned() } else { format!("{sources} sources agree.") }
    }

    /// How many endpoints were no use.
    pub fn problems(n: usize) -> String {
        super::count(n, "source could not be used", "sources could not be used")
    }
}

/// Before and in a meeting.
pub mod meeting {
    /// Label of the choice.
    pub const MICROPHONE: &str = "Microphone";
    /// The only choice while none is known.
    pub const DEFAULT_MICROPHONE: &str = "Your browser's choice";
    /// Name of the meter.
    pub const LEVEL: &str = "Microphone level";
    /// Under the meter while it is quiet or loud.
    pub const LEVEL_HELP: &str = "Say something. The bar moves when you can be heard.";
    /// While the browser asks.
    pub const ASKING: &str = "Your browser asks for the microphone. Choose “Allow”.";
    /// Joins with the microphone open.
    pub const JOIN: &str = "Join meeting";
    /// Joins without.
    pub const JOIN_MUTED: &str = "Join muted";
    /// Without a microphone.
    pub const JOIN_LISTEN: &str = "You join to listen. The others see you as muted.";
    /// Who is in already.
    pub const ALREADY: &str = "Already here";
    /// Nobody.
    pub const NOBODY: &str = "Nobody is here yet. You'd be the first.";
    /// Name of the region.
    pub const REGION: &str = "Meeting";
    /// Name of the list.
    pub const PARTICIPANTS: &str = "Participants";
    /// First word of the button.
    pub const MUTE: &str = "Mute";
    /// First word of the button.
    pub const UNMUTE: &str = "Unmute";
    /// Second word of both; hidden where space is short.
    pub const MUTE_WHAT: &str = "microphone";
    /// How to do it by key.
    pub const MUTE_KEY: &str = "Press M to mute or unmute";
    /// First word of the button.
    pub const RAISE: &str = "Raise";
    /// First word of the button.
    pub const LOWER: &str = "Lower";
    /// Second word of both; hidden where space is short.
    pub const HAND: &str = "hand";
    /// How to do it by key.
    pub const HAND_KEY: &str = "Press H to raise or lower your hand";
    /// First word of the button.
    pub const LEAVE: &str = "Leave";
    /// Second word of it.
    pub const LEAVE_WHAT: &str = "meeting";
    /// Shown for a muted person.
    pub const MUTED: &str = "Muted";
    /// On the way to somebody.
    pub const CONNECTING: &str = "Connecting…";
    /// The sound goes through a relay.
    pub const RELAYED: &str = "Relayed";
    /// On the way again.
    pub const RECONNECTING: &str = "Reconnecting…";
    /// Gave up.
    pub const FAILED: &str = "No connection";
    /// Sound is held back.
    pub const SOUND_BLOCKED: &str = "Your browser keeps the sound off until you ask for it.";
    /// Turns it on.
    pub const TURN_ON_SOUND: &str = "Turn on sound";
    /// Alone in it.
    pub const FIRST: &str = "You're the first one here";
    /// What to do.
    pub const FIRST_HELP: &str = "Others can join any time. Send them the link.";
    /// Copies it.
    pub const COPY_LINK: &str = "Copy link";
    /// After a refusal.
    pub const GO_BACK: &str = "Go back";
    /// Too many.
    pub const FULL: &str = "This meeting is full";
    /// What now.
    pub const FULL_HELP: &str =
        "As many people as can talk at once are in it. Try again when somebody has left.";
    /// Twice the same wallet.
    pub const OTHER_DEVICE: &str = "You are in this meeting on another device";
    /// What now.
    pub const OTHER_DEVICE_HELP: &str = "Leave it there first, then try again here.";

    /// After the number of those in it.
    pub const HERE: &str = "here";

    /// While on another page, how many are in the meeting one is in.
    pub fn in_call(n: usize) -> String {
        format!("You are in it, {}", here(n))
    }

    /// How many are in it.
    pub fn here(n: usize) -> String {
        format!("{n} {HERE}")
    }

    /// How many are in it, in the navigation.
    pub fn in_it(n: usize) -> String {
        super::count(n, "person in it", "people in it")
    }

    /// Somebody came.
    pub fn joined(who: &str) -> String {
        format!("{who} joined")
    }

    /// For who cannot see the number beside a portrait.
    pub fn hand(number: usize) -> String {
        format!("Hand raised, number {number}")
    }

    /// Somebody raised their hand.
    pub fn raised(who: &str) -> String {
        format!("{who} raised a hand")
    }

    /// Somebody lowered it.
    pub fn lowered(who: &str) -> String {
        format!("{who} lowered the hand")
    }

    /// Somebody went.
    pub fn left(who: &str) -> String {
        format!("{who} left")
    }

    /// Name of the button that tries to reach somebody again.
    pub fn retry_whom(who: &str) -> String {
        format!("to reach {who}")
    }
}

/// How everything stands.
pub mod doctor {
    /// What it is for.
    pub const HELP: &str = "How everything stands right now. If something does not work, copy this and send it to whoever helps you. It holds addresses, but no secrets.";
    /// Nothing yet.
    pub const EMPTY: &str = "Nothing to show yet.";
}

/// No such page.
pub mod lost {
    /// What happened.
    pub const TITLE: &str = "There is nothing at this address";
    /// What now.
    pub const HELP: &str = "The link may be old, or a letter may be missing.";
    /// Home.
    pub const HOME: &str = "Go to the front page";
}
