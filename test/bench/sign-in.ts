// GET /menu while 50 customers sign in, each of whom costs an argon2 hash, against GET /menu alone.
import { hashPassword } from "../../src/auth/passwords.ts";
import { startRig } from "./bench-environment.ts";
import { loadFully, loadSteadily, percentile, write } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";

const signingIn = 50;
const menuPerSecond = 200;
const roundMs = 4_000;

const rig = await startRig();
const customers = await rig.customers(signingIn);
await rig.sql`
  update users set password_hash = ${await hashPassword("correct horse")} where id = any(${customers.map(({ id }) => id)}::uuid[])`;

const signIn = (nth: number) =>
  write("POST", "/api/v1/auth/token", {
    body: { username: `${customers[nth]!.id}@example.com`, password: "correct horse" },
  });
const readMenu = () =>
  loadSteadily(rig.port, { perSecond: menuPerSecond, ms: roundMs, expected: 200 }, () =>
    write("GET", "/api/v1/menu"),
  ).then(({ latencies }) => ({ p99: percentile(latencies, 0.99), p50: percentile(latencies, 0.5) }));

const results = await compare(
  `GET /menu while ${signingIn} customers sign in`,
  { unit: "ms", yardstick: "without them" },
  async () => {
    const crowd = loadFully(rig.port, { connections: signingIn, ms: roundMs, expected: 200 }, signIn);
    const figures = await readMenu();
    const { perSecond } = await crowd;
    console.log(`  ${Math.round(perSecond)} sign-ins a second`);
    return figures;
  },
  readMenu,
);
await keep("sign-in", results);
await rig.close();
