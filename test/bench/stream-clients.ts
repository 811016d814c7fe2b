// Clients of orders' streams, a process of their own: node stream-clients.ts '{ url, token, ids }'. Prints "open" when all
// are, and then a line for each event that arrives: its seq and the time.
import { openStream } from "../sse.ts";

const { url, token, ids } = JSON.parse(process.argv[2]!) as { url: string; token: string; ids: string[] };
const now = () => performance.timeOrigin + performance.now();

for (const id of ids) {
  const { response, nth } = await openStream(`${url}/orders/${id}/events`, token);
  await nth(0);
  // The time is taken as it comes, before any of it is parsed.
  response.on("data", (frames: string) => {
    const at = now();
    for (const [, seq] of frames.matchAll(/^id: (\d+)$/gm)) console.log(`${seq} ${at}`);
  });
}
console.log("open");
