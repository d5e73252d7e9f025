// Example Wallet: the wallet of e2e/extension, as an unpacked extension or as a script of the page.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDER, RPC } from "./environment.mjs";

const EXTENSION = join(import.meta.dirname, "../extension");
const settings = (account) => `window.exampleWalletSettings = ${JSON.stringify({ rpc: RPC, account })};\n`;

/** What the wallet calls itself. */
export const EXAMPLE_WALLET = "Example Wallet";

/** A copy of the extension whose one account is `account`; gives its folder. */
export function extension(account) {
  const folder = mkdtempSync(join(FOLDER, "extension-"));
  cpSync(EXTENSION, folder, { recursive: true });
  writeFileSync(join(folder, "settings.js"), settings(account));
  return folder;
}

/** Gives every page of a profile the wallet without an extension. */
export function withExampleWallet(account) {
  const provider = readFileSync(join(EXTENSION, "provider.js"), "utf8");
  return (profile) => profile.addInitScript(`${settings(account)}${provider}`);
}
