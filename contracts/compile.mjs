// Compiles src/ and writes abi/NAME.json: {"abi", "bytecode", "deployedBytecode"}.
// With --check it writes nothing and fails if a file differs from what the sources give.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const check = process.argv[2] === "--check";
if (process.argv.length > (check ? 3 : 2)) {
  console.error("usage: node compile.mjs [--check]");
  process.exit(2);
}

const { default: solc } = await import("solc").catch(() => {
  console.error('the compiler is missing: run "npm ci --ignore-scripts" in contracts/');
  process.exit(1);
});
const sources = Object.fromEntries(
  readdirSync(join(root, "src"))
    .filter((file) => file.endsWith(".sol"))
    .sort()
    .map((file) => [`src/${file}`, { content: readFileSync(join(root, "src", file), "utf8") }]),
);
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      // The same as in foundry.toml: what is tested is what is deployed.
      settings: {
        evmVersion: "cancun",
        optimizer: { enabled: true, runs: 200 },
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: {
          "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] },
        },
      },
    }),
  ),
);
if (output.errors?.length) {
  for (const { formattedMessage } of output.errors) console.error(formattedMessage);
  process.exit(1);
}

let failed = false;
for (const [source, contracts] of Object.entries(output.contracts)) {
  for (const [name, { abi, evm }] of Object.entries(contracts)) {
    const file = join(root, "abi", `${name}.json`);
    const fresh = `${JSON.stringify(
      {
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
      },
      null,
      1,
    )}\n`;
    if (!check) {
      writeFileSync(file, fresh);
    } else if (!existsSync(file) || readFileSync(file, "utf8") !== fresh) {
      console.error(`abi/${name}.json is not what ${source} compiles to: run "node compile.mjs"`);
      failed = true;
    }
  }
}
process.exitCode = failed ? 1 : 0;
