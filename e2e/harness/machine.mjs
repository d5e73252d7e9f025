// A browser that keeps its profile on disk, and can be killed and started again: what was kept is
// there then, or it is not.
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { browserOn } from "./browsers.mjs";
import { FOLDER } from "./environment.mjs";

export class Machine {
  #run;
  #tone;
  #pid;

  /** Starts one. Its members are opened by `open`. */
  static async start(run, { tone = 0 } = {}) {
    const machine = new Machine();
    machine.#run = run;
    machine.#tone = tone;
    /** Where the profile is. */
    machine.folder = mkdtempSync(join(FOLDER, "machine-"));
    run.later(() => machine.stop());
    await machine.start();
    return machine;
  }

  /** Starts it again. */
  async start() {
    this.profile = await browserOn(this.folder, { tone: this.#tone });
    [this.#pid] = await this.#processes("browser");
  }

  /** A member at the page in it; `options` as for `Member.open`. */
  open(options) {
    return this.#run.member({ profile: this.profile, tone: this.#tone, ...options });
  }

  /** Ends it in good order. */
  async stop() {
    await this.profile.close();
  }

  /** Kills the whole browser, as a power cut or the system would. */
  async kill() {
    const gone = new Promise((resolve) => this.profile.once("close", resolve));
    process.kill(this.#pid, "SIGKILL");
    await gone;
  }

  /** Gives what kills the processes that run the pages which are open now, and clears those away. */
  async reaper() {
    const pids = await this.#processes("renderer");
    const pages = this.profile.pages();
    return async () => {
      const crashed = pages.map((page) => page.waitForEvent("crash"));
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await Promise.all(crashed);
      // A browser without any page ends.
      await this.profile.newPage();
      for (const page of pages) await page.close();
    };
  }

  async #processes(type) {
    const session = await this.profile.browser().newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.filter((one) => one.type === type).map(({ id }) => id);
  }
}

/** All files under `folder`, with their paths. */
function filesIn(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name));
}

/** Overwrites the middle of the files in which a browser that does not run keeps databases, of those named so. */
export function damageFiles(folder, named) {
  const paths = filesIn(folder).filter((path) => path.includes("/IndexedDB/") && named.test(path));
  const damaged = paths.map((path) => [path, readFileSync(path)]).filter(([, bytes]) => bytes.length > 0);
  if (damaged.length === 0) throw new Error(`no file under ${folder} is named ${named}`);
  for (const [path, bytes] of damaged) {
    const third = Math.ceil(bytes.length / 3);
    bytes.fill(0xff, third, 2 * third);
    writeFileSync(path, bytes);
  }
}

/** The files under `folder` that hold `text`, in UTF-8 or in UTF-16 of either byte order. */
export function filesWith(folder, text) {
  const little = Buffer.from(text, "utf16le");
  const forms = [Buffer.from(text, "utf8"), little, Buffer.from(little).swap16()];
  return filesIn(folder).filter((path) => {
    const bytes = readFileSync(path);
    return forms.some((form) => bytes.includes(form));
  });
}
