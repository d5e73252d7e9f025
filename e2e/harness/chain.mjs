// The local chain, by JSON-RPC; its accounts are unlocked.
import { CONFIG, RPC } from "./environment.mjs";
import { until } from "./until.mjs";

export const ROLE = { none: 0, member: 1, moderator: 2, banned: 255 };

/** The first four bytes of the hash of each function's signature; a wrong one would revert. */
const SELECTOR = {
  setRoles: "0x285d3d3c", // setRoles(uint64,address[],uint8)
  setPaused: "0x8e916944", // setPaused(uint64,bool)
  setDeviceCutoff: "0x9e3a04b3", // setDeviceCutoff(uint64)
};

/** A page looks some blocks behind the head; a change must be at least as old to be seen. */
const SETTLING_BLOCKS = 8;

const word = (number) => BigInt(number).toString(16).padStart(64, "0");

export class Chain {
  #snapshot;
  #accounts;

  /** One JSON-RPC call. */
  async call(method, ...params) {
    const response = await fetch(RPC, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = await response.json();
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** The addresses of the test wallets, in lower case. */
  async accounts() {
    this.#accounts ??= (await this.call("eth_accounts")).map((address) => address.toLowerCase());
    return this.#accounts;
  }

  /** Gives test wallets a role in community 1, signed by its owner. */
  async setRoles(wallets, role) {
    const accounts = await this.accounts();
    const addresses = wallets.map((wallet) => accounts[wallet].slice(2).padStart(64, "0"));
    const data = [word(1), word(96), word(role), word(addresses.length), ...addresses].join("");
    await this.#transact(0, SELECTOR.setRoles + data);
  }

  /** Pauses community 1 or resumes it, signed by its owner. */
  async setPaused(paused) {
    await this.#transact(0, SELECTOR.setPaused + word(1) + word(paused ? 1 : 0));
  }

  /** Refuses all devices that the wallet certified until now. */
  async setDeviceCutoff(wallet) {
    const { timestamp } = await this.call("eth_getBlockByNumber", "latest", false);
    await this.#transact(wallet, SELECTOR.setDeviceCutoff + word(timestamp));
  }

  /** Makes what was changed old enough for pages to see. */
  async settle() {
    await this.call("anvil_mine", `0x${SETTLING_BLOCKS.toString(16)}`);
  }

  /** Undoes every change since the first. */
  async restore() {
    if (this.#snapshot === undefined) return;
    const done = await this.call("evm_revert", this.#snapshot);
    this.#snapshot = undefined;
    if (!done) throw new Error("the chain could not be put back");
    // What stands again must be old enough to be seen.
    await this.settle();
  }

  async #transact(wallet, data) {
    this.#snapshot ??= await this.call("evm_snapshot");
    const from = (await this.accounts())[wallet];
    const hash = await this.call("eth_sendTransaction", { from, to: CONFIG.chain.communities, data });
    const receipt = await until("a transaction is mined", () => this.call("eth_getTransactionReceipt", hash));
    if (receipt.status !== "0x1") throw new Error(`a transaction of wallet ${wallet} failed: ${JSON.stringify(receipt)}`);
    await this.settle();
  }
}
