// Calls the worker as Cloudflare does, for a server of Node: `node node.mjs MODULE ADDRESS`.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { argv, env } from "node:process";
import { Readable } from "node:stream";

import { worker } from "../worker.mjs";

const [, , module, address] = argv;
const { fetch } = worker(createRequire(import.meta.url)(module).Host);

const server = createServer(async (incoming, outgoing) => {
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i], incoming.rawHeaders[i + 1]);
  }
  const { method } = incoming;
  const hasBody = !["GET", "HEAD"].includes(method);
  const request = new Request(`https://${incoming.headers.host}${incoming.url}`, {
    method,
    headers,
    body: hasBody ? Readable.toWeb(incoming) : undefined,
    duplex: "half",
  });
  const response = await fetch(request, env);
  outgoing.writeHead(response.status, [...response.headers].flat());
  outgoing.end(Buffer.from(await response.arrayBuffer()));
});
const [host, port] = address.split(":");
server.listen(Number(port), host);
