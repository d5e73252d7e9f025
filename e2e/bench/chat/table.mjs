// How figures of rooms are printed.
import { figures } from "../figures.mjs";

export const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
export const milliseconds = (value) => `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

/** The median of some values, what nearly all lie under, and the most. */
export function spread(values) {
  const { median, p95, most } = figures(values);
  return `${milliseconds(median)}, p95 ${milliseconds(p95)}, most ${milliseconds(most)} (n = ${values.length})`;
}

/** Prints the head of the table: what was measured, ours, and that of Yjs. */
export function head() {
  console.log("| what | ours | Yjs |\n|---|---|---|");
}

/** Prints a row, as soon as it is known. */
export function row(...cells) {
  console.log(`| ${cells.join(" | ")} |`);
}
