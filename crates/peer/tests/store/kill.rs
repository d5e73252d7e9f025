//! SIGKILL in the middle of writing.

use crate::{Given, InFolder, again};
use chats_core::store::conformance::{chapter, chapters, open_store};
use std::{
    io::{BufRead, BufReader, Write},
    thread,
    time::Duration,
};

/// Kills, at as many moments.
const KILLS: u64 = 20;

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    if let Some(place) = Given::place() {
        return write_until_killed(&place).await;
    }
    let place = InFolder::new();
    let mut known = 0;
    for kill in 0..KILLS {
        let mut writer = again("kill::what_was_acknowledged_survives_a_kill_at_any_moment", &place)
            .spawn()
            .expect("a writer");
        let mut lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
        let mut acknowledged = known;
        let mut wanted = 1 + kill % 4;
        while wanted > 0 {
            let line = lines.next().expect("the writer goes on").expect("a line");
            if let Some(number) = line.strip_prefix("committed ") {
                acknowledged = number.parse().expect("a number");
                wanted -= 1;
            }
        }
        // Another moment of the write that is under way each time; a commit takes some 5 ms.
        thread::sleep(Duration::from_micros(397 * kill));
        writer.kill().expect("SIGKILL");
        writer.wait().expect("its end");
        // What it had said before it died, if it came further.
        for line in lines.map_while(Result::ok) {
            let number = line.strip_prefix("committed ").and_then(|number| number.parse().ok());
            acknowledged = number.unwrap_or(acknowledged);
        }
        let found = chapters(&open_store(&place).await).await;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "kill {kill}: {found} chapters of {acknowledged} acknowledged"
        );
        known = found;
    }
    assert!(known > KILLS, "{known} chapters");
}

async fn write_until_killed(place: &Given) {
    let store = open_store(place).await;
    let mut out = std::io::stdout();
    for number in chapters(&store).await + 1.. {
        store.commit(chapter(number)).await.expect("committed");
        writeln!(out, "\ncommitted {number}").and_then(|()| out.flush()).expect("told");
    }
}
