//! What is said around rooms and messages.

use super::count;
use chats_core::rooms::{Keeping, Sending, Standing};

/// Above the rooms of all members.
pub const ROOMS: &str = "Rooms";
/// Above the rooms of two.
pub const DIRECT: &str = "Direct messages";
/// Where everyone who is online is listed.
pub const PEOPLE: &str = "People";
/// Makes a room.
pub const NEW: &str = "New room";
/// While the rooms are read.
pub const LOADING: &str = "Getting your rooms…";
/// A room whose name is not known yet.
pub const LOCKED: &str = "Locked room";
/// Said of a room in which somebody named the reader.
pub const MENTIONED: &str = ", you are mentioned";
/// There is none, for members.
pub const NONE: &str = "No rooms here yet. They appear as soon as another member is online.";
/// There is none, for moderators.
pub const NONE_MODERATOR: &str =
    "No rooms here yet. They appear as soon as another member is online. Or make one.";

/// Title of what could not be done.
pub const REFUSED: &str = "That did not work.";

/// Which room, for machines.
pub const ADDRESS: &str = "Address";

/// How many messages were not read.
pub fn unread(n: usize) -> String {
    count(n, "unread message", "unread messages")
}

/// Name of the button that opens direct messages.
pub fn message(who: &str) -> String {
    ["Message ", who].concat()
}

/// Making and changing rooms.
pub mod form {
    /// Title of the dialog that changes one.
    pub const CHANGE: &str = "Room settings";
    /// Label.
    pub const NAME: &str = "Name";
    /// Label.
    pub const TOPIC: &str = "What it is about";
    /// Label of the choice.
    pub const NEWCOMERS: &str = "Newcomers read";
    /// First choice.
    pub const EVERYTHING: &str = "Everything";
    /// What it means.
    pub const EVERYTHING_HELP: &str = "Also what was written before they joined the community.";
    /// Second choice.
    pub const FROM_JOIN: &str = "Only what is written after they joined";
    /// What it means.
    pub const FROM_JOIN_HELP: &str = "This cannot be taken back.";
    /// Makes it.
    pub const MAKE: &str = "Make room";
    /// Changes it.
    pub const SAVE: &str = "Save";
}

/// A room.
pub mod room {
    /// Name of the list of messages.
    pub const MESSAGES: &str = "Messages";
    /// Leads back to the rooms, on a phone.
    pub const BACK: &str = "All rooms";
    /// While the messages are read.
    pub const LOADING: &str = "Getting the messages…";
    /// Nothing was said yet.
    pub const EMPTY: &str = "Nothing here yet";
    /// What now.
    pub const EMPTY_HELP: &str = "Say hello. Only members can read it.";
    /// The same, between two.
    pub const EMPTY_DIRECT_HELP: &str = "Say hello. Only the two of you can read it.";
    /// Above the first message.
    pub const START: &str = "This is where it begins.";
    /// Before what was not read.
    pub const NEW: &str = "New";
    /// Goes to the newest message.
    pub const JUMP: &str = "Jump to latest";
    /// No such room.
    pub const NOT_FOUND: &str = "This room is not here";
    /// Why, and what now.
    pub const NOT_FOUND_HELP: &str = "It may not have reached this device yet: stay online for a moment. Or the link is not right.";
    /// No key.
    pub const WAITS: &str = "This room is still locked here";
    /// Why, and what now.
    pub const WAITS_HELP: &str = "Another member has to hand you the key. That happens by itself as soon as one of them is online. You can leave this page open.";
    /// No key, as the device is new.
    pub const WAITS_DEVICE_HELP: &str = "This device is new. Approve it on a device you used before, under Settings, or ask a moderator. Otherwise it opens by itself after a day.";
    /// Reading only.
    pub const READ_ONLY: &str =
        "You can read here, but not write: the others would not take it right now.";
    /// Writes out a device's fork.
    pub const FORKED: &str = "A device here wrote two different things as its next message: it was copied, or brought back from a backup. Both are shown. Its owner should sign it out under Settings.";
    /// What others wrote is of a later time than it is here.
    pub const EARLY: &str = "Your clock seems to be behind: messages of a later time wait here until your clock gets there. Set it right to read them.";
    /// Whose device that is, if it is not known.
    pub const SOMEBODY: &str = "somebody";
    /// What the list of pinned messages is called.
    pub const PINNED: &str = "Pinned";

    /// One writes.
    pub fn typing(who: &[String]) -> String {
        match who {
            [] => String::new(),
            [one] => [one, " is writing…"].concat(),
            [one, two] => [one, " and ", two, " are writing…"].concat(),
            _ => "Several people are writing…".to_owned(),
        }
    }

    /// What is new below what one reads.
    pub fn new_below(n: usize) -> String {
        super::count(n, "new message", "new messages")
    }
}

/// A message.
pub mod message {
    /// It was taken away.
    pub const DELETED: &str = "This message was deleted.";
    /// Of a newer kind.
    pub const UNKNOWN: &str = "This message needs a newer version of the app.";
    /// Its words are gone.
    pub const MISSING: &str = "The words of this message are no longer kept here.";
    /// What is answered is not here.
    pub const REPLY_GONE: &str = "An earlier message";
    /// It says something else than at first.
    pub const EDITED: &str = "edited";
    /// It is pinned.
    pub const PINNED: &str = "Pinned";
    /// Name of what can be done with it.
    pub const ACTIONS: &str = "Message";
    /// Answers it.
    pub const REPLY: &str = "Reply";
    /// Opens what else can be done.
    pub const MORE: &str = "More";
    /// Puts an emoji to it.
    pub const REACT: &str = "React";
    /// A field for any other emoji.
    pub const OTHER_EMOJI: &str = "Another emoji";
    /// Those that are offered, each with what it is called.
    pub const EMOJI: [(&str, &str); 6] = [
        ("👍", "thumbs up"),
        ("❤️", "heart"),
        ("😂", "laughing"),
        ("🎉", "party"),
        ("👀", "eyes"),
        ("🙏", "thanks"),
    ];
    /// Copies its words.
    pub const COPY: &str = "Copy text";
    /// Says it better.
    pub const EDIT: &str = "Edit";
    /// Takes it away.
    pub const DELETE: &str = "Delete";
    /// Asks once more.
    pub const DELETE_SURE: &str = "Delete for everyone?";
    /// Pins it.
    pub const PIN: &str = "Pin";
    /// And no longer.
    pub const UNPIN: &str = "Unpin";
    /// Whose.
    pub const WALLET: &str = "Wallet";
    /// From where.
    pub const DEVICE: &str = "Device";
    /// That it was checked.
    pub const SIGNED: &str = "Signed by this device, checked";
    /// When.
    pub const TIME: &str = "Written";
    /// How far it came.
    pub const STATE: &str = "State";
}

/// The value of `data-state`; what others wrote has come all the way.
pub const fn state_name(state: Option<Sending>) -> &'static str {
    match state {
        Some(Sending::Queued) => "queued",
        Some(Sending::Sent) => "sent",
        Some(Sending::Delivered) | None => "delivered",
        Some(Sending::Failed) => "failed",
    }
}

/// How far a message has come, for people.
pub const fn state(state: Option<Sending>) -> &'static str {
    match state {
        Some(Sending::Queued) => "Queued: it goes out when somebody is reachable",
        Some(Sending::Sent) => "Sent",
        Some(Sending::Delivered) => "Delivered: another device keeps it",
        Some(Sending::Failed) => "Not kept: it is lost when you close the page",
        None => "Received",
    }
}

/// Writing.
pub mod compose {
    /// Name of the field.
    pub const FIELD: &str = "Message";
    /// Sends.
    pub const SEND: &str = "Send";
    /// While there is no network.
    pub const OFFLINE: &str = "You are offline; messages go out later.";
    /// Before what is answered.
    pub const REPLYING: &str = "Reply to";
    /// Over what is changed.
    pub const EDITING: &str = "You are changing your message";
    /// Name of the list of what can be chosen.
    pub const CHOICES: &str = "Suggestions";
    /// Commands, what follows them, and what they do.
    pub const COMMANDS: [(&str, &str, &str); 7] = [
        ("help", "", "Show what you can type here"),
        ("peers", "", "Show who is online"),
        ("name", "NAME", "Choose what you are called in this room"),
        ("history", "", "Show older messages"),
        ("info", "", "Show what there is to know of this room"),
        ("msg", "WHO TEXT", "Write to one person, in private"),
        ("me", "TEXT", "Say what you do"),
    ];
    /// Title of the list of commands.
    pub const HELP: &str = "You can type";
    /// What else can be typed.
    pub const HELP_MORE: &str = "**bold**, *italic*, `code`, > quote, - list, @ to name somebody. Enter sends, Shift+Enter begins a new line.";
    /// When something was said last.
    pub const INFO_LAST: &str = "Last message";
    /// Newcomers.
    pub const INFO_OPEN: &str = "Newcomers read everything.";
    /// Newcomers.
    pub const INFO_FROM_JOIN: &str = "Newcomers read what is written after they joined.";
    /// Nobody by that name.
    pub const NOBODY: &str = "Nobody by that name is online. Use their address instead.";
    /// To oneself.
    pub const NOT_YOURSELF: &str = "That is you. Choose somebody else.";

    /// What stands in the field while it is empty.
    pub fn placeholder(room: &str) -> String {
        ["Write to ", room].concat()
    }

    /// No such command.
    pub fn unknown(command: &str) -> String {
        ["There is no command /", command, ". Type /help to see them all."].concat()
    }

    /// Something is missing behind a command.
    pub fn usage(command: &str, needs: &str) -> String {
        ["Type it like this: /", command, " ", needs].concat()
    }

    /// Too many people are named.
    pub fn too_many_mentions(most: usize) -> String {
        ["You can name at most ", &most.to_string(), " people in one message."].concat()
    }

    /// From here on it is said how many characters are left.
    const NEAR_THE_END: usize = 500;

    /// How many characters are left of `most`, or too many; nothing while that is far off.
    pub fn left(most: usize, are: usize) -> String {
        let (n, words) = match most.checked_sub(are) {
            Some(left) if left > NEAR_THE_END => return String::new(),
            Some(left) => (left, " left"),
            None => (are - most, " too many"),
        };
        [n.to_string().as_str(), words].concat()
    }
}

/// Devices and what is kept.
pub mod settings {
    /// Title.
    pub const TITLE: &str = "Settings";
    /// Title of the list.
    pub const DEVICES: &str = "Your devices";
    /// What it is for.
    pub const DEVICES_HELP: &str = "Each browser you sign in with is a device of its own. Sign out what you no longer use or do not know.";
    /// Title of those of others.
    pub const WAITING: &str = "Devices that wait for a moderator";
    /// What to think of.
    pub const WAITING_HELP: &str = "Approve one only if its owner told you that it is theirs.";
    /// Marks this one.
    pub const THIS: &str = "This device";
    /// Any other.
    pub const DEVICE: &str = "Device";
    /// Gives it the keys.
    pub const APPROVE: &str = "Approve";
    /// Takes it back.
    pub const REVOKE: &str = "Revoke";
    /// Title of the dialog.
    pub const REVOKE_TITLE: &str = "Sign this device out for good?";
    /// What it means.
    pub const REVOKE_HELP: &str = "It can no longer read what is written from now on, in any community. What it has read already, it may keep. Your wallet signs this; it costs nothing.";
    /// While the wallet is asked.
    pub const REVOKE_ASKING: &str = "Approve it in your wallet…";
    /// Title.
    pub const STORAGE: &str = "What is kept here";
    /// It stays.
    pub const PERSISTED: &str = "Your messages stay in this browser until you sign out.";
    /// It may go.
    pub const EVICTABLE: &str = "Your messages are kept in this browser, but it may delete them when space runs short. As long as other members or your other devices have them, they come back. To be sure of yours, save a backup.";
    /// Forgets the device.
    pub const FORGET: &str = "Forget this device";
    /// What that means.
    pub const FORGET_HELP: &str = "Signs you out and deletes this device's key, and the messages kept here, from this browser. What nobody else has is gone then, unless you saved a backup.";
    /// Another device of ours waits.
    pub const NEW_DEVICE: &str = "A new device signed in with your wallet. If it is yours, approve it: it can then read what was written before it came. If not, revoke it.";
    /// Goes to where one can.
    pub const SEE_DEVICES: &str = "See your devices";
    /// Ours was revoked.
    pub const REVOKED_HERE: &str =
        "This device was signed out for good. It cannot read what is written from now on.";
    /// The list is empty.
    pub const NO_DEVICES: &str = "Getting your devices…";

    /// Since and until when.
    pub fn lasts(since: &str, until: &str) -> String {
        ["Signed in on ", since, ", until ", until].concat()
    }
}

/// Backups.
pub mod backup {
    /// Title.
    pub const TITLE: &str = "Backup";
    /// What it is for.
    pub const HELP: &str = "A file with everything you can read here, sealed with a passphrase. It brings your messages back in another browser. It does not sign anybody in.";
    /// Writes one.
    pub const WRITE: &str = "Save a backup";
    /// Takes one in.
    pub const BRING_BACK: &str = "Bring back a backup";
    /// Label.
    pub const PASSPHRASE: &str = "Passphrase";
    /// What to think of.
    pub const PASSPHRASE_HELP: &str = "At least 8 characters; a few words are best. Keep it somewhere safe: without it nobody can open the file, and neither can you.";
    /// Label.
    pub const FILE_LABEL: &str = "Backup file";
    /// What the file is called.
    pub const FILE: &str = "community-chats.backup";
    /// Under way.
    pub const WRITING: &str = "Writing the backup…";
    /// Done.
    pub const WRITTEN: &str = "The backup is written. Your browser saves it as a download.";
    /// Under way.
    pub const READING: &str = "Reading the backup…";
    /// Done.
    pub const READ: &str = "The backup is read. What was in it is in your rooms.";
    /// None was chosen.
    pub const NO_FILE: &str = "Choose a file first.";
    /// More than is taken.
    pub const TOO_LARGE: &str = "This file is too large for a backup.";
    /// The browser could not.
    pub const UNREADABLE: &str = "Your browser could not read this file.";
}

/// How a device stands; nothing while all is well.
pub const fn standing(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Good => None,
        Standing::WaitsForApproval => Some("Waits for approval"),
        Standing::Revoked => Some("Signed out for good"),
        Standing::Expired => Some("Its sign-in ran out"),
    }
}

/// What is wrong with what is kept here; nothing while all is well.
pub fn keeping(keeping: &Keeping) -> Option<String> {
    match keeping {
        Keeping::Good => None,
        Keeping::Failing(why) => Some(
            [
                "Messages cannot be kept in this browser right now: ",
                why,
                ". What you write may be lost when you close the page.",
            ]
            .concat(),
        ),
        Keeping::Damaged => Some(
            "Some of what was kept here was damaged. It is fetched again from other members."
                .to_owned(),
        ),
    }
}
