// How much memory the service takes, at rest and after 100,000 requests, and how soon it answers on a ready database.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { startDatabase, startRig, startScript, startService } from "./bench-environment.ts";
import { loadFully, write } from "./load.ts";
import { keep, median, rounds } from "./paired-runs.ts";

const requests = 100_000;

/** Resident memory of a process, in MB. */
const memory = (pid: number) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1_024;

const rig = await startRig({ WORKER: "inline" });
const atRest = memory(rig.service.pid!);
const [customer] = await rig.customers(1);
const kinds = [
  write("GET", "/api/v1/menu"),
  write("GET", "/api/v1/users/me/orders", { token: customer!.token }),
  write("GET", "/api/v1/admin/orders", { token: rig.token("barista") }),
];
let sent = 0;
while (sent < requests) {
  const { latencies } = await loadFully(
    rig.port,
    { connections: 16, ms: 2_000, expected: 200 },
    () => kinds[sent++ % kinds.length]!,
  );
  sent = Math.max(sent, latencies.length);
}
const after = memory(rig.service.pid!);
await rig.close();
console.log(`memory: ${atRest.toFixed(0)} MB at rest, ${after.toFixed(0)} MB after ${sent} requests`);

const database = await startDatabase();
const provider = await startScript("provider.ts");
const starts: number[] = [];
for (let round = 0; round <= rounds; round++) {
  const { process: service, startedIn } = await startService(database.url, provider.port);
  if (round > 0) starts.push(startedIn / 1_000);
  service.kill();
  await once(service, "exit");
}
provider.process.kill();
await database.close();
console.log(
  `cold start on a ready database: ${median(starts).toFixed(2)} s (${Math.min(...starts).toFixed(2)} to ${Math.max(...starts).toFixed(2)})`,
);
await keep("start", {
  memory_mb: { at_rest: atRest, after },
  cold_start_s: { median: median(starts), all: starts },
});
