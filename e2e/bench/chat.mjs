// Measures rooms: messages and sync between two pages of ours, and of e2e/yjs beside them in the
// same browser. `cargo xtask bench chat` starts this with the running system in the environment.
import { browser } from "../harness/browsers.mjs";
import { epoch } from "./chat/epoch.mjs";
import { messages } from "./chat/messages.mjs";
import { cold, few } from "./chat/sync.mjs";
import { head, kilobytes, milliseconds, row, spread } from "./chat/table.mjs";
import * as yjs from "./chat/yjs.mjs";
import { measured } from "./figures.mjs";

const COLD = [1_000, 10_000];
const [MISSING, MANY] = [100, 100_000];
/** Two pages of Yjs with as many as ours did not find each other within minutes. */
const FEWER = 10_000;
/** With those of the two pages these are 498. */
const CROWD = { wallets: 62, devices: 8 };
const AUTHORS = 3;

await measured(async (t) => {
  const shared = await browser(0);
  head();
  const live = await messages(t, shared);
  for (const [what, key] of [["message, send to shown", "shown"], ["message, send to drawn", "drawn"]]) {
    const of = (all) => spread(all.map((one) => one[key]));
    row(what, of(live.ours), of(live.yjs));
  }
  for (const count of COLD) {
    const [ours, theirs] = [await cold(t, shared, count), await yjs.sync(t, shared, count, count, AUTHORS)];
    for (const [who, saw] of [["a newcomer", ours.newcomer], ["one who has the keys", ours.keys]]) {
      row(`${count} messages to ${who}`, sync(saw), said(theirs));
    }
  }
  const [ours, theirs] = [await few(t, shared, MANY, MISSING), await yjs.sync(t, shared, FEWER, MISSING, AUTHORS)];
  row(`the newest ${MISSING} of ${MANY}`, sync(ours.newest), `of ${FEWER}: ${said(theirs)}`);
  row(`${MISSING} of ${MANY}, anywhere`, sync(ours.scattered), "cannot be so");
  const { made, opened, page } = await epoch(t, shared, CROWD);
  const devices = CROWD.wallets * CROWD.devices + 2;
  row(`epoch for ${devices} devices, made and kept`, spread(made), "has none");
  row(`the same, opened from its page of ${kilobytes(page)}`, spread(opened), "has none");
});

function sync({ linked, session, overhead, items, longest }) {
  const task = longest > 0 ? `longest task ${milliseconds(longest)}` : "no task over 50 ms";
  return `${milliseconds(session)} from its session's start, ${milliseconds(linked)} from the link; ${items} items and ${kilobytes(overhead)} besides; ${task}`;
}

function said({ refused, stored, bytes }) {
  return refused ? `does not come: ${refused}` : `${milliseconds(stored)}; ${kilobytes(bytes)} in all`;
}
