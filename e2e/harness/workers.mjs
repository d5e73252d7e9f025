// The worker of the page that has the rooms: what is fetched for it, what is said to it and by it.
import { until } from "./until.mjs";

const FILES = /\/rooms-[^/]*$/;

/** Notes each request for the worker's files that pages of a profile make from now on. */
export function watchFetches(profile) {
  const fetched = [];
  profile.on("request", (request) => {
    if (FILES.test(new URL(request.url()).pathname)) fetched.push(request.url());
  });
  return fetched;
}

/** To be run in a profile before a page opens: keeps all bytes between pages and their workers. */
export async function overhear(profile) {
  await profile.addInitScript(() => {
    const said = (window.__said = []);
    const keep = (data) => said.push([...new Uint8Array(data)]);
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
      // Before it is handed over: afterwards it is empty here.
      keep(message.slice(0));
      return post.call(this, message, ...rest);
    };
    const Original = Worker;
    window.Worker = class extends Original {
      constructor(...all) {
        super(...all);
        this.addEventListener("message", ({ data }) => keep(data));
      }
    };
  });
}

/** Waits until the rooms of a member run, and gives what `#/doctor` says of them. */
export async function running(member, wanted = () => true) {
  let rooms;
  await member.diagnosed("its rooms run", (said) => {
    rooms = said.rooms;
    return rooms?.state === "running" && wanted(rooms);
  }, 60_000);
  return rooms;
}

/** The worker that has the rooms. */
export function worker(member) {
  return until("there is a worker", () => {
    const found = member.page.workers().find((one) => FILES.test(new URL(one.url()).pathname));
    if (!found) throw new Error("none");
    return found;
  });
}
