// Endpoints of the chain that a test can have misbehave, and mend.
import { startEndpoint } from "./servers.mjs";

/** The first four bytes of the hash of `standings(uint64,address[])`. */
const STANDINGS = "0xf18a8312";

const word = (number) => BigInt(number).toString(16).padStart(64, "0");

/** What an endpoint can do instead of answering as the chain does. Each is for `Endpoint.does`. */
export const misdeed = {
  /** Breaks every connection off. */
  away: (_request, _result, response) => response.destroy(),
  /** Answers nothing until the asker has given up. */
  slow: () => new Promise(() => {}),
  /** Claims to be on another chain. */
  otherChain: (id) => ({ method }, result) => (method === "eth_chainId" ? `0x${id.toString(16)}` : result),
  /** Gives every wallet this role. */
  givesRole: (role) => ({ method, params }, result) => {
    const [{ input, data = input } = {}] = params ?? [];
    if (method !== "eth_call" || !data.startsWith(STANDINGS)) return result;
    // Two offsets, then each list with its length in front: roles, then cutoffs.
    const words = result.slice(2).match(/.{64}/g);
    const first = Number(BigInt(`0x${words[0]}`)) / 32;
    const count = Number(BigInt(`0x${words[first]}`));
    words.fill(word(role), first + 1, first + 1 + count);
    return `0x${words.join("")}`;
  },
  /** Shows blocks as old as this, in seconds. */
  frozen: (age) => ({ method }, result) => {
    if (method !== "eth_getBlockByNumber" || result === null) return result;
    return { ...result, timestamp: `0x${(Number(result.timestamp) - age).toString(16)}` };
  },
};

/** One misdeed after the other. */
export const both = (first, second) => async (request, result, response) =>
  second(request, await first(request, result, response), response);

/** An endpoint that does as the chain does until told otherwise by `does`. */
export class Endpoint {
  static async start(run, misdeed) {
    const endpoint = new Endpoint();
    endpoint.does = misdeed;
    endpoint.url = await startEndpoint(run, (request, result, response) =>
      endpoint.does ? endpoint.does(request, result, response) : result,
    );
    return endpoint;
  }
}
