//! Where in the app we are: the URL's fragment, so that the bundle works under any path and host
//! and no gateway learns which room is open.

use chats_core::epoch::RoomTag;
use chats_core::id::MeetingName;
use web_sys::js_sys::{JsString, decode_uri_component, encode_uri_component};

/// A place in the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `#/`: the community's front page.
    Home,
    /// `#/people`: who is online, where there is no room for them at the side.
    People,
    /// `#/c/ID/r/ROOM`: a room.
    Room(RoomAddress),
    /// `#/c/ID/m/MEETING`: lobby, then meeting.
    Meeting(MeetingName),
    /// `#/settings`: devices, and what is kept.
    Settings,
    /// `#/doctor`: how everything stands, for whoever mends it.
    Doctor,
    /// Anything else.
    Unknown,
}

/// How an address names a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAddress {
    /// As the app writes it.
    Tag(RoomTag),
    /// As people do, in lower case: whichever room is called so.
    Name(String),
}

impl Route {
    /// Reads a fragment, with or without its `#`, of an app that serves the community `community`.
    pub fn parse(fragment: &str, community: u64) -> Self {
        let path = fragment.trim_start_matches('#').trim_matches('/');
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => Self::Home,
            ["people"] => Self::People,
            ["settings"] => Self::Settings,
            ["doctor"] => Self::Doctor,
            ["c", id] if id.parse() == Ok(community) => Self::Home,
            ["c", id, "r", room] if id.parse() == Ok(community) => {
                RoomAddress::parse(room).map_or(Self::Unknown, Self::Room)
            }
            ["c", id, "m", meeting] if id.parse() == Ok(community) => {
                MeetingName::parse(meeting).map_or(Self::Unknown, Self::Meeting)
            }
            _ => Self::Unknown,
        }
    }

    /// Writes the fragment, with its `#`.
    pub fn fragment(&self, community: u64) -> String {
        match self {
            Self::Home | Self::Unknown => "#/".to_owned(),
            Self::People => "#/people".to_owned(),
            Self::Settings => "#/settings".to_owned(),
            Self::Doctor => "#/doctor".to_owned(),
            Self::Room(RoomAddress::Tag(tag)) => format!("#/c/{community}/r/{tag}"),
            Self::Room(RoomAddress::Name(name)) => {
                format!("#/c/{community}/r/{}", encode_uri_component(name))
            }
            Self::Meeting(meeting) => format!("#/c/{community}/m/{meeting}"),
        }
    }
}

impl RoomAddress {
    /// Reads the last part of an address; `None` if it is not well encoded.
    fn parse(part: &str) -> Option<Self> {
        if let Some(tag) = RoomTag::parse(part) {
            return Some(Self::Tag(tag));
        }
        decode_uri_component(part).ok().map(|name| Self::Name(lower(&name)))
    }

    /// Whether this is the address of the room with this tag and name.
    pub fn is_of(&self, tag: RoomTag, name: Option<&str>) -> bool {
        match self {
            Self::Tag(named) => *named == tag,
            Self::Name(named) => name.is_some_and(|name| lower(&name.into()) == *named),
        }
    }
}

/// In lower case, by the browser: the tables for it need not be in the page.
fn lower(name: &JsString) -> String {
    name.to_lower_case().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn every_route_reads_back_as_it_was_written() {
        let meeting = MeetingName::parse("main").map(Route::Meeting).unwrap();
        let tag = Route::Room(RoomAddress::Tag(RoomTag([7; 16])));
        let named = Route::Room(RoomAddress::Name("off / topic, ü".to_owned()));
        let plain = [Route::Home, Route::People, Route::Settings, Route::Doctor];
        for route in plain.into_iter().chain([meeting, tag, named]) {
            assert_eq!(Route::parse(&route.fragment(7), 7), route);
        }
        assert_eq!(Route::parse("", 7), Route::Home);
        assert_eq!(Route::parse("#/c/7", 7), Route::Home);
    }

    #[wasm_bindgen_test]
    fn other_communities_and_odd_names_are_nowhere() {
        for fragment in
            ["#/c/8/m/main", "#/c/7/m/Main", "#/c/7/m/a/b", "#/c/8/r/general", "#/c/7/r/%", "#/c/x"]
        {
            assert_eq!(Route::parse(fragment, 7), Route::Unknown, "{fragment}");
        }
    }

    #[wasm_bindgen_test]
    fn a_room_is_found_by_its_tag_and_by_its_name() {
        let tag = RoomTag([7; 16]);
        let Route::Room(by_name) = Route::parse("#/c/7/r/General", 7) else { panic!("no room") };
        assert!(by_name.is_of(tag, Some("general")));
        assert!(by_name.is_of(tag, Some("GENERAL")));
        assert!(!by_name.is_of(tag, None));
        let Route::Room(by_tag) = Route::parse(&format!("#/c/7/r/{tag}"), 7) else {
            panic!("no room")
        };
        assert!(by_tag.is_of(tag, None));
        assert!(!by_tag.is_of(RoomTag([8; 16]), Some("general")));
    }
}
