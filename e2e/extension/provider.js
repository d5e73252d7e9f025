// An EIP-1193 provider that announces itself by EIP-6963, as wallets in the browser do. It asks
// nobody: what it answers is up to the test, which reaches it as `window.exampleWallet`.
(() => {
  const { rpc, account } = window.exampleWalletSettings;
  const listeners = new Map();
  const wallet = {
    /** What was asked, in order. */
    asked: [],
    /** Answers by method, in place of the chain's: functions that give a result or throw. */
    answers: {
      eth_requestAccounts: () => [account],
      eth_accounts: () => [account],
    },
    /** Tells the page of an event of EIP-1193. */
    emit(event, value) {
      for (const listener of listeners.get(event) ?? []) listener(value);
    },
  };

  async function forward(method, params) {
    const response = await fetch(rpc, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = await response.json();
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return result;
  }

  const provider = {
    async request({ method, params = [] }) {
      wallet.asked.push(method);
      const answer = wallet.answers[method];
      return answer ? answer(params, forward) : forward(method, params);
    },
    on(event, listener) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event).add(listener);
      return provider;
    },
    removeListener(event, listener) {
      listeners.get(event)?.delete(listener);
      return provider;
    },
  };
  const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/>";
  const info = { uuid: "7d5b4f0e-6a0c-4b8a-9f7e-2c1d3e4f5a6b", name: "Example Wallet", icon, rdns: "org.example.wallet" };
  const announce = () => {
    const detail = Object.freeze({ info: Object.freeze(info), provider });
    window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  };
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
  Object.defineProperty(window, "exampleWallet", { value: wallet });
})();
