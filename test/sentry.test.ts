// Against a local endpoint that keeps what the official client sends.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { eventually, expectProblem, openShop } from "./harness.ts";

test("SENTRY_DSN is told of a 5xx with its cause, of nothing less, and of no secret", async () => {
  const envelopes: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    envelopes.push(`${request.url} ${text}`);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const shop = await openShop({ env: { SENTRY_DSN: `http://public@127.0.0.1:${port}/7` } });
  onTestFinished(async () => {
    await shop.close();
    server.close();
    server.closeAllConnections();
  });
  const signIn = () =>
    shop.call("POST", "/auth/token", {
      body: { username: "ann@example.com", password: "battery staple" },
      headers: { "x-request-id": "the-one-that-failed", authorization: "Bearer something" },
    });

  expectProblem(await signIn(), 401, "invalid_credentials");
  expectProblem(await shop.call("GET", "/nowhere"), 404, "not_found");
  await shop.sql`alter table users rename to elsewhere`;
  expectProblem(await signIn(), 500, "internal_error");
  const [envelope] = await eventually(() => envelopes[0] && envelopes);
  expect(envelope).toMatch(/^\/api\/7\/envelope\//);
  const event = JSON.parse(envelope!.split("\n")[2]!);
  expect(event).toMatchObject({
    exception: { values: [{ value: expect.stringContaining('"users" does not exist') }] },
    tags: {
      request_id: "the-one-that-failed",
      code: "internal_error",
      status: 500,
      method: "POST",
      route: "/api/v1/auth/token",
    },
  });
  await sleep(200);
  expect(envelopes).toHaveLength(1);
  expect(envelope).not.toMatch(/battery|ann@example|Bearer something/);
});
