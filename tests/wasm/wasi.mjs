// Runs a program for wasm32-wasip1 under Node: `node wasi.mjs PROGRAM FOLDER_WITH_SECRETS`.
import { readFile } from "node:fs/promises";
import { argv, env, exit } from "node:process";
import { WASI } from "node:wasi";

const [, , program, secrets] = argv;
const name = "HMAC_AUTHENTICATION_SECRET_KEY";
const wasi = new WASI({
  version: "preview1",
  args: [program],
  env: { [name]: env[name] },
  preopens: { "/secrets": secrets },
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
exit(wasi.start(instance));
