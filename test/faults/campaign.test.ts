// Two instances on one database, customers who retry with their keys, and everything that can go wrong does, at random:
// FAULT_ROUNDS rounds of it (`npm run test:faults`: 200), and at the end the books must agree to the cent.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openPool, type Pool } from "../../src/db/pool.ts";
import { makeProduct, makeUser } from "../factories.ts";
import { cloneDatabase } from "../harness.ts";
import { type Instance, productionSecret, startInstance } from "../instance.ts";
import { signTestToken } from "../tokens.ts";
import { type Bank, type Mood, openBank } from "./fake-provider.ts";
import { expectBalanced, untilAtRest } from "./ledger-assertions.ts";

const rounds = Number(process.env.FAULT_ROUNDS ?? 12);
const seed = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);
const roundMs = 700;
const customers = 10;

/** Mulberry32: the same seed gives the same dice, though not the same race. */
function dice(state: number) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(random: number, weighted: [weight: number, value: T][]): T {
  let left = random * weighted.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, value] of weighted) {
    left -= weight;
    if (left <= 0) return value;
  }
  return weighted[0]![1];
}

const moods: [number, Mood][] = [
  [70, "fine"],
  [6, "declined"],
  [8, "error"],
  [4, "silence"],
  [4, "cut"],
  [4, "fine, then cut"],
  [4, "fine, then silence"],
];

/** What became of one Idempotency-Key, as its customer saw it. */
interface Attempt {
  key: string;
  body: string;
  token: string;
  orderIds: Set<string>;
}

test(
  `after ${rounds} rounds of crashes every charge has one order or one refund (FAULT_SEED=${seed})`,
  async () => {
    const random = dice(seed);
    const bank = await openBank();
    const databaseUrl = await cloneDatabase();
    const sql = openPool(databaseUrl, { name: "test", max: 5 });
    const start = () =>
      startInstance({
        DATABASE_URL: databaseUrl,
        PAYMENT_SERVICE_URL: `${bank.url}/payments`,
        PAYMENT_REFUND_URL: `${bank.url}/refunds`,
        NOTIFICATION_SERVICE_URL: `${bank.url}/notifications`,
        PAYMENT_TIMEOUT_MS: "500",
        CHECKOUT_CONCURRENCY: "8",
      });
    const instances = await Promise.all([start(), start()]);
    bank.mood = () => pick(random(), moods);
    const deaths: unknown[] = [];
    const watch = (instance: Instance) =>
      instance.process.once("exit", (code, signal) => {
        // Whatever happens to its connections, an instance dies by our hand alone.
        if (signal !== "SIGKILL") deaths.push({ code, signal, output: instance.output().slice(-3000) });
      });
    instances.forEach(watch);

    let open = true;
    const attempts: Attempt[] = [];
    const tally: Record<string, number> = {};
    const shoppers = await openAccounts(sql);

    async function send({ key, body, token, orderIds }: Attempt): Promise<boolean> {
      const at = instances[random() < 0.5 ? 0 : 1]!;
      try {
        const response = await fetch(`${at.url}/api/v1/orders`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            "idempotency-key": key,
          },
          body,
          signal: AbortSignal.timeout(3_000),
        });
        const answer = (await response.json()) as { id: string; code: string };
        tally[`${response.status} ${answer.code ?? ""}`] =
          (tally[`${response.status} ${answer.code ?? ""}`] ?? 0) + 1;
        if (response.ok) orderIds.add(answer.id);
        // A decline is an end; the rest is worth another try.
        return response.ok || answer.code === "payment_failed";
      } catch {
        tally["no answer"] = (tally["no answer"] ?? 0) + 1;
        return false;
      }
    }

    async function shop(token: string, productIds: string[]) {
      const pending: Attempt[] = [];
      while (open) {
        const old = random() < 0.2 ? pending.splice(Math.floor(random() * pending.length), 1)[0] : undefined;
        const items = [{ product_id: productIds[Math.floor(random() * productIds.length)], quantity: 1 }];
        const key = randomUUID();
        const body = JSON.stringify({ items, metadata: { key } });
        const attempt: Attempt = old ?? { key, body, token, orderIds: new Set() };
        if (!old) attempts.push(attempt);
        let finished = false;
        for (let tries = 1 + Math.floor(random() * 4); tries > 0 && !finished; tries--) {
          // Now and then the same request twice at once, as impatient customers send it.
          const twins = random() < 0.15 ? [send(attempt), send(attempt)] : [send(attempt)];
          finished = (await Promise.all(twins)).some(Boolean);
          await sleep(random() * 60);
        }
        if (!finished) pending.push(attempt);
      }
    }

    async function misfortune() {
      const which = random() < 0.5 ? 0 : 1;
      const what = pick(random(), [
        [4, "kill"],
        [4, "terminate"],
        [1, "stand still"],
        [2, "nothing"],
      ]);
      tally[what] = (tally[what] ?? 0) + 1;
      if (what === "kill") {
        await instances[which]!.end("SIGKILL");
        instances[which] = await start();
        watch(instances[which]!);
      } else if (what === "terminate") {
        const share = random();
        await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and application_name like 'ristretto %'
            and application_name <> 'ristretto test' and random() < ${share}`;
      } else if (what === "stand still") {
        instances[which]!.process.kill("SIGSTOP");
        await sleep(1_500);
        instances[which]!.process.kill("SIGCONT");
      }
    }

    try {
      const shopping = shoppers.map(({ token, productIds }) => shop(token, productIds));
      for (let round = 0; round < rounds; round++) {
        await sleep(random() * roundMs);
        await misfortune();
      }
      open = false;
      await Promise.all(shopping);

      bank.mood = () => "fine";
      await untilAtRest(sql);
      expect(deaths).toEqual([]);
      await expectBalanced(sql, bank);
      await expectEveryKeyHasItsOrder(sql, attempts);
      await expectServing(instances);
      const [{ orders }] = await sql<[{ orders: number }]>`select count(*)::int as orders from orders`;
      console.log(`${rounds} rounds, ${attempts.length} keys, ${orders} orders`, tally, books(bank));
    } finally {
      open = false;
      await Promise.all(instances.map((instance) => instance.end("SIGKILL")));
      await sql.end();
      await bank.close();
    }
  },
  rounds * 4_000 + 240_000,
);

async function openAccounts(sql: Pool) {
  const products = await Promise.all(
    [250, 420, 999].map((cents) => makeProduct(sql, { base_price_cents: cents })),
  );
  const users = await Promise.all(Array.from({ length: customers }, () => makeUser(sql)));
  return users.map((user) => ({
    token: signTestToken(
      { sub: user.id, role: "customer", exp: Math.floor(Date.now() / 1000) + 7200 },
      productionSecret,
    ),
    productIds: products.map(({ id }) => id),
  }));
}

/** Each key that was answered with success has exactly one order, the one it was told of; and no key has two. */
async function expectEveryKeyHasItsOrder(sql: Pool, attempts: Attempt[]) {
  const orders = await sql<{ id: string; key: string }[]>`select id, metadata ->> 'key' as key from orders`;
  const byKey = Map.groupBy(orders, ({ key }) => key);
  const wrong = attempts.filter(({ key, orderIds }) => {
    const made = (byKey.get(key) ?? []).map(({ id }) => id);
    return made.length > 1 || orderIds.size > 1 || [...orderIds].some((id) => id !== made[0]);
  });
  expect(wrong).toEqual([]);
}

/** Every connection of every pool still works. */
async function expectServing(instances: Instance[]) {
  for (const { url } of instances) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => fetch(`${url}/api/v1/menu`)));
    expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200));
  }
}

const books = ({ charged, refunded }: Bank) => ({ charges: charged.size, refunds: refunded.size });
