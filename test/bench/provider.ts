// The payment and notification provider of the benchmarks, a process of its own: `node provider.ts [ms]` answers yes
// after so many milliseconds.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const delayMs = Number(process.argv[2] ?? 0);
const yes = '{"success":true}';
const headers = { "content-type": "application/json", "content-length": yes.length };

const server = createServer((request, response) => {
  request.resume();
  request.once("end", () => {
    const answer = () => response.writeHead(200, headers).end(yes);
    if (delayMs > 0) setTimeout(answer, delayMs);
    else answer();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
