//! Where in the app we are: the URL's fragment, so that the bundle works under any path and host
//! and no gateway learns which room is open.

use chats_core::id::MeetingName;

/// A place in the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `#/`: the community's front page.
    Home,
    /// `#/c/ID/m/MEETING`: lobby, then meeting.
    Meeting(MeetingName),
    /// `#/doctor`: how everything stands, for whoever mends it.
    Doctor,
    /// Anything else.
    Unknown,
}

impl Route {
    /// Reads a fragment, with or without its `#`, of an app that serves the community `community`.
    pub fn parse(fragment: &str, community: u64) -> Self {
        let path = fragment.trim_start_matches('#').trim_matches('/');
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => Self::Home,
            ["doctor"] => Self::Doctor,
            ["c", id] if id.parse() == Ok(community) => Self::Home,
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
            Self::Doctor => "#/doctor".to_owned(),
            Self::Meeting(meeting) => format!("#/c/{community}/m/{meeting}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn every_route_reads_back_as_it_was_written() {
        let meeting = MeetingName::parse("main").map(Route::Meeting).unwrap();
        for route in [Route::Home, meeting, Route::Doctor] {
            assert_eq!(Route::parse(&route.fragment(7), 7), route);
        }
        assert_eq!(Route::parse("", 7), Route::Home);
        assert_eq!(Route::parse("#/c/7", 7), Route::Home);
    }

    #[wasm_bindgen_test]
    fn other_communities_and_odd_names_are_nowhere() {
        for fragment in ["#/c/8/m/main", "#/c/7/m/Main", "#/c/7/m/a/b", "#/what", "#/c/x"] {
            assert_eq!(Route::parse(fragment, 7), Route::Unknown, "{fragment}");
        }
    }
}
