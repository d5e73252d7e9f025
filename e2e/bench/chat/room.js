// Runs in a page with a room, ours or that of e2e/yjs, before all else of it: writes messages and
// tells when they are shown, by a clock that is the same in all pages of this machine.
{
  const now = () => performance.timeOrigin + performance.now();
  const log = () => document.querySelector("[role=log]");
  const waiting = new Map();

  const observer = new MutationObserver(() => {
    const at = now();
    const last = [...log().querySelectorAll("article")].at(-1)?.textContent ?? "";
    for (const [text, resolve] of waiting) {
      if (!last.includes(text)) continue;
      waiting.delete(text);
      const drawn = new MessageChannel();
      drawn.port1.onmessage = () => resolve({ shown: at, drawn: now() });
      requestAnimationFrame(() => drawn.port2.postMessage(null));
    }
  });

  window.room = {
    now,
    /** Begins to look at what is shown. */
    watch: () => observer.observe(log(), { childList: true, subtree: true, characterData: true }),
    /** Types a message. */
    type(text) {
      const field = document.querySelector("#compose");
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    },
    /** Sends what was typed; gives the moment before. */
    send() {
      const at = now();
      document.querySelector("button.send").click();
      return at;
    },
    /** When the newest message came to be one that says this, and when that had been drawn. */
    expect(text) {
      return new Promise((resolve) => waiting.set(text, resolve));
    },
  };
}
