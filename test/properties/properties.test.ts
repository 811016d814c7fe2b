// The whole API, told by its own document: whatever is sent to whichever operation, by whomever, is answered as the
// document says. FC_SEED is the seed (one operation alone: -t placeOrder), PROPERTY_RUNS how many of each are sent.
import fc from "fast-check";
import type { InjectOptions, Response } from "light-my-request";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codes } from "../../src/http/errors.ts";
import { startWorker } from "../../src/jobs.ts";
import { declaredAnswers, type OpenApi } from "../declared-answers.ts";
import { eventually, openShop, rowsOf } from "../harness.ts";
import { botToken } from "../telegram.ts";
import { allowedDraft, callers, listOperations, type Op, type Sent, waysToBreak, write } from "./requests.ts";
import { type Furnished, furnish } from "./seed-shop.ts";

const numRuns = Number(process.env.PROPERTY_RUNS ?? 15);
const settings = { seed: Number(process.env.FC_SEED ?? 1), numRuns };
const patienceMs = 20_000 + 2_000 * numRuns;

const shop = await openShop({ env: { TELEGRAM_BOT_TOKEN: botToken } });
afterAll(shop.close);
const document = shop.app.swagger() as unknown as OpenApi;
const declared = declaredAnswers(document);
const operations = listOperations(document);

let found: Furnished;

let asked = 0;

/** Sends it, and holds the answer to what goes for every answer. */
async function send({ by, request }: Sent): Promise<Response> {
  const requestId = `property-${++asked}`;
  const token = found.tokens[by];
  const headers = {
    ...request.headers,
    ...(token && { authorization: `Bearer ${token}` }),
    "x-request-id": requestId,
  };
  const response = await shop.app.inject({ ...request, headers, payloadAsStream: true } as InjectOptions);
  const live = response.headers["content-type"]?.toString().startsWith("text/event-stream");
  const chunks: Buffer[] = [];
  for await (const chunk of response.stream()) {
    chunks.push(chunk);
    if (live) break;
  }
  const answer = Object.assign(response, { body: Buffer.concat(chunks).toString() });
  answer.json = () => JSON.parse(answer.body);

  expect(answer.statusCode, answer.body).toBeLessThan(500);
  expect(answer.headers["x-request-id"]).toBe(requestId);
  if (answer.statusCode >= 400 && request.method !== "HEAD") {
    const problem = answer.json();
    expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(problem).toMatchObject({
      status: answer.statusCode,
      request_id: requestId,
      detail: expect.any(String),
    });
    expect(codes).toHaveProperty(problem.code, answer.statusCode);
  }
  if (live) expect(answer.body).toMatch(/^(retry|event|id|data|:)/);
  declared(request.method!, request.url as string, answer);
  return answer;
}

const problemOf = (response: Response): string =>
  response.statusCode >= 400 ? response.json().code : "none";

// What is refused before anything of a request that the document allows is looked at, and so never by who may.
const neverRightful = ["validation_failed", "unauthorized", "unsupported_media_type", "body_too_large"];
// Where a manager may be refused: no role of one's own, and no last way to sign in taken away.
const managerMayBeForbidden = ["editUser", "replaceUser", "unlinkIdentity"];
// These take a code that stands in a message alone.
const needCodes = ["verifyEmail", "resetPassword"];

/** What holds of the books at any moment. */
async function booksAreRight() {
  const [wrong] = await shop.sql`
    select
      (select count(*)::int from orders o where not exists (select from order_items i where i.order_id = o.id))
        as orders_without_lines,
      (select count(*)::int from orders o where total_cents <>
        (select sum(i.total_cents) from order_items i where i.order_id = o.id)) as totals_that_differ,
      (select count(*)::int from orders o where (select count(*) from payments p where p.order_id = o.id and
        p.amount_cents = o.total_cents and p.status in ('succeeded', 'refund_pending', 'refunded', 'refund_due')) <> 1)
        as orders_without_their_charge,
      (select count(*)::int from payments p where amount_cents <
        (select sum(r.amount_cents) from refunds r where r.payment_id = p.id and r.status <> 'failed'))
        as refunded_beyond_the_charge,
      (select count(*)::int from orders o join payments p on p.order_id = o.id
        where o.status = 'canceled' and p.status = 'succeeded') as canceled_and_kept`;
  expect(wrong).toEqual({
    orders_without_lines: 0,
    totals_that_differ: 0,
    orders_without_their_charge: 0,
    refunded_beyond_the_charge: 0,
    canceled_and_kept: 0,
  });
}

/** Whether the last operation may have changed what the shop was furnished with. */
let used = true;

describe.each(operations)("$id", (op) => {
  beforeAll(async () => {
    if (used) found = await furnish(shop);
    used = op.method !== "GET";
  });

  test(
    "refuses what the document forbids, and writes nothing",
    async () => {
      const tables = (await shop.sql`select tablename from pg_tables where schemaname = 'public'`).map(
        ({ tablename }) => tablename,
      );
      const before = await rowsOf(shop.sql, tables);
      const request = fc
        .tuple(allowedDraft(op, found, true), fc.constantFrom(...callers), fc.nat())
        .map(([draft, by, nth]) => {
          const ways = waysToBreak(op, { ...draft, by });
          return ways[nth % ways.length]?.();
        });
      await fc.assert(
        fc.asyncProperty(request, async (sent) => {
          if (!sent) return;
          const response = await send(sent);
          const code = problemOf(response);
          if (sent.by === "nobody" && op.secured) expect(code, response.body).toBe("unauthorized");
          else if (sent.by === "manager" || !op.secured) expect(sent.codes, response.body).toContain(code);
          else expect([...sent.codes, "forbidden", "not_found"], response.body).toContain(code);
        }),
        { ...settings, numRuns: 2 * numRuns },
      );
      expect(await rowsOf(shop.sql, tables)).toEqual(before);
    },
    patienceMs,
  );

  test(
    "answers as declared what the document allows, and refuses nobody who asks sensibly",
    async () => {
      let done = 0;
      await fc.assert(
        fc.asyncProperty(allowedDraft(op, found, true), async (draft) => {
          const response = await send(write(op, draft));
          const code = problemOf(response);
          expect(neverRightful, response.body).not.toContain(code);
          if (draft.by === "manager" && !managerMayBeForbidden.includes(op.id))
            expect(code, response.body).not.toBe("forbidden");
          if (code === "none") done += 1;
        }),
        settings,
      );
      if (!needCodes.includes(op.id)) expect(done, "requests that succeeded").toBeGreaterThan(0);
      await fc.assert(
        fc.asyncProperty(allowedDraft(op, found, false), async (draft) => {
          const response = await send(write(op, draft));
          if (draft.by === "nobody" && op.secured) expect(problemOf(response)).toBe("unauthorized");
        }),
        settings,
      );
      await booksAreRight();
    },
    patienceMs,
  );
});

test(
  "whatever was asked for, the books agree when all is settled",
  async () => {
    found = await furnish(shop);
    const requests = operations
      .filter(({ live }) => !live)
      .map((op) => allowedDraft(op, found, true).map((draft) => write(op, draft)));
    const many = fc.array(fc.oneof(...requests), { minLength: 10 * numRuns, maxLength: 10 * numRuns });
    await fc.assert(
      fc.asyncProperty(many, async (sequence) => {
        for (const sent of sequence) await send(sent);
      }),
      { seed: settings.seed, numRuns: 1 },
    );
    await booksAreRight();

    const workerSettings = { ...shop.app.settings, paymentRefundUrl: `${shop.provider.url}/refunds` };
    const worker = await startWorker(workerSettings as never, shop.sql, pino({ level: "silent" }));
    try {
      await eventually(async () => {
        const pending = await shop.sql`select from refunds where status = 'pending'`;
        return pending.length === 0;
      });
    } finally {
      await worker.stop();
    }
    expect(await shop.sql`select * from payments_out_of_balance`).toEqual([]);
    await booksAreRight();
  },
  patienceMs,
);

const matches = (op: Op, url: string) => new RegExp(`^${op.path.replace(/\{\w+\}/g, "[^/]+")}$`).test(url);

test("answers HEAD as GET without the body, and knows no other method", async () => {
  found = await furnish(shop);
  for (const path of Object.keys(document.paths)) {
    const ofPath = operations.filter((op) => op.path === path);
    for (const op of ofPath.filter(({ method, live }) => method === "GET" && !live)) {
      const [draft] = fc.sample(allowedDraft(op, found, true), { seed: settings.seed, numRuns: 1 });
      const { by, request } = write(op, draft!);
      const { statusCode } = await send({ by, request });
      const head = await send({ by, request: { ...request, method: "HEAD" } });
      expect([head.statusCode, head.body], path).toEqual([statusCode, ""]);
    }
    const url = path.replace(/\{\w+\}/g, "me");
    for (const method of ["PUT", "POST", "PATCH", "DELETE", "TRACE", "QUERY"] as Op["method"][]) {
      // `check-identity` could be a user's id too.
      if (operations.some((op) => op.method === method && matches(op, url))) continue;
      const response = await send({ by: "manager", request: { method, url, payload: "{" } });
      expect(problemOf(response), `${method} ${path}`).toBe("not_found");
    }
  }
});
