// The payment and notification provider of the benchmarks, a process of its own: `node provider.ts [ms]` answers yes
// after so many milliseconds. On plain sockets, for an HTTP server would take its part of the two cores from what is
// measured: each request has to come with its length and before the next one, as undici's do.
import { type AddressInfo, createServer } from "node:net";

const delayMs = Number(process.argv[2] ?? 0);
const yes = '{"success":true}';
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${yes.length}\r\nconnection: keep-alive\r\nkeep-alive: timeout=60\r\n\r\n${yes}`;

const server = createServer({ noDelay: true }, (socket) => {
  let received = "";
  socket.setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: string) => {
    received += chunk;
    const headEnd = received.indexOf("\r\n\r\n");
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0);
    if (headEnd < 0 || received.length < headEnd + 4 + length) return;
    received = "";
    if (delayMs > 0) setTimeout(() => socket.write(answer), delayMs);
    else socket.write(answer);
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
