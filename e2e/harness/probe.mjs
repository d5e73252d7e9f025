// The program that behaves badly towards pages: see e2e/probe.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CONFIG_FILE, PROBE } from "./environment.mjs";

/**
 * Starts a scenario for a test wallet. `events` fills as the program speaks; `until(pick)` gives
 * the first event, past or to come, that `pick` wants; `done` the events once it has ended well.
 */
export function startProbe(run, wallet, scenario, ...options) {
  const child = spawn(PROBE, ["--config", CONFIG_FILE, "--wallet", String(wallet), scenario, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const events = [];
  const waiting = new Set();
  let complaint = "";
  let ended;
  child.stderr.on("data", (text) => (complaint += text));
  createInterface({ input: child.stdout }).on("line", (line) => {
    events.push(JSON.parse(line));
    for (const look of waiting) look();
  });
  const done = new Promise((resolve, reject) => {
    child.once("close", (code) => {
      ended = code === 0 ? null : new Error(`the probe ended with ${code}: ${complaint}`);
      for (const look of waiting) look();
      if (ended) reject(ended);
      else resolve(events);
    });
  });
  done.catch(() => {}); // whoever waits for it hears of it
  run.later(() => {
    child.kill();
  });
  const until = (pick) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = events.find(pick);
        if (found) resolve(found);
        else if (ended !== undefined) reject(ended ?? new Error("the probe ended before that"));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return { events, until, done };
}
