// Runs the module for wasm32-unknown-unknown under Node: `node javascript.cjs FOLDER`.
const { join, resolve } = require("node:path");

const { run } = require(join(resolve(process.argv[2]), "wasm_program.js"));
console.log(run());
