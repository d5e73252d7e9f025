// What `cargo xtask test` says about the running system.
import { readFileSync } from "node:fs";

function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests by \`cargo xtask test --only e2e\``);
  return value;
}

/** Chromium's program. */
export const BROWSER = variable("E2E_BROWSER");
/** Firefox's program, and that which gives it speakers; see `NO_FIREFOX`. */
export const { E2E_FIREFOX: FIREFOX, E2E_PULSEAUDIO: PULSEAUDIO } = process.env;
/** Why tests with Firefox cannot run, if so. */
export const NO_FIREFOX = FIREFOX && PULSEAUDIO ? undefined : variable("E2E_NO_FIREFOX");
/** The native program `chats`. */
export const CHATS = variable("E2E_CHATS_BIN");
/** The program of `e2e/probe`. */
export const PROBE = variable("E2E_PROBE");
/** A folder with the pages of `e2e/interop`. */
export const INTEROP = variable("E2E_INTEROP");
/** A folder with the page of `e2e/yjs`; for `cargo xtask bench chat` alone. */
export const { E2E_YJS: YJS } = process.env;
/** The built page. */
export const DIST = variable("E2E_DIST");
/** A folder for temporary files, removed at the end. */
export const FOLDER = variable("E2E_FOLDER");
/** The chain's address for JSON-RPC. */
export const RPC = variable("E2E_RPC");
/** The page's address, ending in "/". */
export const URL = variable("E2E_URL");
/** A file with the `config.json` that is served there. */
export const CONFIG_FILE = variable("E2E_CONFIG");
/** What it says. */
export const CONFIG = JSON.parse(readFileSync(CONFIG_FILE, "utf8"));
