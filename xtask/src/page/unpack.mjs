// Unpacks the page's module while it is fetched. Browsers know no better packing than deflate.
import { Decompress } from "fzstd";

/** The module at this address, as what WebAssembly compiles while it comes. */
export async function unpacked(url) {
  const reader = (await fetch(url)).body.getReader();
  const parts = new ReadableStream({
    async start(controller) {
      const decompress = new Decompress((part, last) => {
        if (part.length > 0) controller.enqueue(part.slice());
        if (last) controller.close();
      });
      for (;;) {
        const { done, value = new Uint8Array() } = await reader.read();
        decompress.push(value, done);
        if (done) return;
      }
    },
  });
  return new Response(parts, { headers: { "content-type": "application/wasm" } });
}
