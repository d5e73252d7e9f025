// Certificates that must not count, shown to a real page by a program.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";
import { startProbe } from "../harness/probe.mjs";

const BAD = [
  "expired",
  "not yet",
  "too long",
  "ends before it begins",
  "for ever",
  "for another registry",
  "for another chain",
  "of another version",
  "from a domain with a line of its own",
  "from no domain",
  "tampered",
  "tampered and countersigned",
  "of a wallet that did not sign",
  "without a signature",
  "with a signature of zeros",
  "with a signature too long",
  "with the other of two signatures",
  "of a smart account",
  "replayed",
  "replayed and relabelled",
];

test("only an honest certificate is taken, and each of the others is refused as one", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.enter();
  const events = await startProbe(t, 5, "certificates").done;
  const answers = events.filter(({ event }) => event === "answer");
  const given = Object.fromEntries(answers.map(({ certificate, answer }) => [certificate, answer]));
  const expected = Object.fromEntries(BAD.map((name) => [name, "Certificate"]));
  // Of a wallet without a seat, which is asked of the chain before its signature is looked at.
  expected["of a wallet that did not sign"] = "NotAMember";
  assert.deepEqual(given, { ...expected, honest: "Welcome" });
  const { refused } = await member.doctor();
  assert.deepEqual(refused, { Certificate: BAD.length - 1, NotAMember: 1 });
  assert.deepEqual(await member.connections(), { all: 0, media: 0 });
});
