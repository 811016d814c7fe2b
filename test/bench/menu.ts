// GET /menu, whole and unchanged, against a bare Fastify route that sends as much.

import { startRig, startScript } from "./bench-environment.ts";
import { Connection, loadFully, write } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";

const connections = 50;
const roundMs = 3_000;
const path = "/api/v1/menu";

const rig = await startRig();
const probe = new Connection(rig.port);
const answer = await probe.send(write("GET", path));
probe.close();
const etag = /\r\netag: (.+)/i.exec(answer.head)![1]!;
const bare = await startScript("bare.ts", `${Buffer.byteLength(answer.body())}`);

const throughput = (port: number, expected: number, request: string) => () =>
  loadFully(port, { connections, ms: roundMs, expected, awake: true }, () => request).then(
    ({ perSecond }) => ({
      throughput: perSecond,
    }),
  );
const results = [];
for (const [expected, request] of [
  [200, write("GET", path)],
  [304, write("GET", path, { headers: { "if-none-match": etag } })],
] as const)
  results.push(
    ...(await compare(
      `GET /menu, ${expected}`,
      { unit: "requests/s", yardstick: "a bare Fastify route" },
      throughput(rig.port, expected, request),
      throughput(bare.port, expected, request),
    )),
  );
await keep("menu", results);
bare.process.kill();
await rig.close();
