// The room in Yjs of e2e/yjs, to measure against.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { YJS } from "./environment.mjs";
import { servePage } from "./servers.mjs";

const SIGNALLING = join(import.meta.dirname, "../yjs/signalling.mjs");

/** Starts y-webrtc's signalling server and gives its address. */
export async function startSignalling(run) {
  const child = spawn(process.execPath, [SIGNALLING], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  run.later(() => {
    child.kill();
    return ended;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /^listening (\S+)$/.exec(line) ?? [];
    if (address) return address;
  }
  throw new Error("the signalling server ended before it listened");
}

/** Opens the page in a new profile; `scripts` are run in it before all else. */
export async function openYjs(run, inBrowser, scripts) {
  const profile = await inBrowser.newContext();
  run.later(() => profile.close());
  for (const content of scripts) await profile.addInitScript({ content });
  const page = await profile.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => run.complain(`uncaught in a page of Yjs: ${error.message}`));
  await page.goto(await servePage(run, { folder: YJS }));
  await page.waitForFunction("window.yjs");
  return page;
}
