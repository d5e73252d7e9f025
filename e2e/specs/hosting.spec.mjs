// The same files work on any static host, under any path.
import { test } from "../harness/test.mjs";
import { servePage } from "../harness/servers.mjs";

test("the page works under a sub-path of another server", async (t) => {
  const url = await servePage(t, { path: "/some/where/deep/" });
  const one = await t.member({ wallet: 2, url });
  const two = await t.member({ wallet: 3 });
  await one.enter();
  await two.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
});
