// What a slow, greedy or curious client meets.
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { registerGracefulShutdown } from "../src/http/graceful-shutdown.ts";
import { connectionTimeouts, idleTimeoutMs } from "../src/http/timeouts.ts";
import { eventually, expectProblem, openShop, testShop } from "./harness.ts";

const shop = testShop();

describe("slow clients", () => {
  test("are cut while they trickle their headers, and everybody else is served meanwhile", async () => {
    const other = await openShop();
    onTestFinished(other.close);
    const url = await other.app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = new URL(url);
    const startedAt = performance.now();
    let received = "";
    const sockets: Socket[] = [];
    const cut = Array.from({ length: 200 }, (_, nth) => {
      const socket = connect(Number(port), "127.0.0.1");
      sockets.push(socket);
      socket.setEncoding("utf8").on("data", (chunk) => {
        received += chunk;
      });
      socket.on("error", () => {});
      // One in four says nothing at all.
      if (nth % 4) socket.write("GET /api/v1/menu HTTP/1.1\r\nhost: x\r\n");
      return new Promise<number>((resolve) =>
        socket.once("close", () => resolve(performance.now() - startedAt)),
      );
    });
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    const trickle = setInterval(() => {
      for (const [nth, socket] of sockets.entries())
        if (nth % 4 && socket.writable) socket.write(`x-${nth}: 1\r\n`);
    }, 500);
    let open = true;
    const slowest = (async () => {
      let worst = 0;
      while (open) {
        const before = performance.now();
        expect((await fetch(`${url}/api/v1/menu`)).status).toBe(200);
        worst = Math.max(worst, performance.now() - before);
        await sleep(50);
      }
      return worst;
    })();
    const times = await Promise.all(cut);
    clearInterval(trickle);
    open = false;
    expect(await slowest).toBeLessThan(1_000);
    expect(Math.max(...times)).toBeLessThan(13_000);
    expect(Math.min(...times)).toBeGreaterThan(5_000);
    expect(received).toContain("application/problem+json");
  });

  test("have a limit for their headers, for a whole request, and for a silent connection", () => {
    expect(shop.app.server).toMatchObject({
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 72_000,
      timeout: 72_000,
    });
  });

  test("are cut when nothing moves: no request, or an answer that nobody reads or that isn't made", async () => {
    const afterMs = 2_000;
    const app = Fastify(connectionTimeouts(afterMs));
    onTestFinished(() => app.close());
    app.get("/", async () => "ok");
    app.get("/never", () => new Promise(() => {}));
    app.get("/large", async () => "x".repeat(50_000_000));
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const open = (path?: string) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      onTestFinished(() => void socket.destroy());
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      if (path) socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return { socket, closed };
    };
    const busy = open("/");
    busy.socket.resume();
    let isCut = false;
    busy.closed.then(() => {
      isCut = true;
    });
    const asks = setInterval(() => busy.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), afterMs / 4);
    onTestFinished(() => clearInterval(asks));
    const resting = [open(), open("/"), open("/never")];
    for (const { socket } of resting) socket.resume();
    const unread = open("/large");
    await once(unread.socket, "readable");
    unread.socket.pause();
    const count = () => new Promise<number>((resolve) => app.server.getConnections((_, n) => resolve(n)));
    expect(await count()).toBe(5);
    await Promise.all(resting.map(({ closed }) => closed));
    await eventually(async () => (await count()) === 1, 10);
    expect(isCut).toBe(false);
  });

  test("may rest for longer than a proxy lets them, and than a payment takes", () => {
    expect(idleTimeoutMs(10_000)).toBe(72_000);
    expect(idleTimeoutMs(60_000)).toBe(90_000);
  });
});

test("a response that is still being read is finished at the shutdown", async () => {
  const app = Fastify();
  app.decorate("settings", shop.app.settings);
  registerGracefulShutdown(app);
  const length = 50_000_000;
  app.get("/large", async () => "x".repeat(length));
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const response = await fetch(`${url}/large`);
  const closed = app.close();
  await sleep(300);
  expect((await response.text()).length).toBe(length);
  await closed;
});

describe("headers", () => {
  test("let the pages run what comes from here alone, framed by nobody", async () => {
    const page = await shop.call("GET", "//docs/");
    expect(page.statusCode).toBe(200);
    const policy = page.headers["content-security-policy"] as string;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(page.headers).toMatchObject({ "x-frame-options": "DENY", "x-content-type-options": "nosniff" });
    // What the page loads is from here, and it has nothing inline, which that policy would stop.
    expect(page.body).not.toMatch(/<script(?![^>]*\ssrc=")|<style|\sstyle=|\son\w+=/);
    const loaded = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    expect(loaded.length).toBeGreaterThan(3);
    for (const path of loaded) {
      expect(path).toMatch(/^\.?\//);
      const { pathname } = new URL(path, "http://x/docs/");
      expect((await shop.call("GET", `/${pathname}`)).statusCode, pathname).toBe(200);
    }
  });

  test("of the API's answers are few", async () => {
    const { headers } = await shop.call("GET", "/menu");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers).not.toHaveProperty("content-security-policy");
    expect(headers).not.toHaveProperty("strict-transport-security");
  });
});

// The last one here: for a second more, every shop in this process is under pressure.
test("while the event loop stalls, requests are refused and the process says that it lives", async () => {
  const other = await openShop();
  onTestFinished(other.close);
  expect((await other.call("GET", "/menu")).statusCode).toBe(200);
  const stall = async (ms: number) => {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      const busyUntil = performance.now() + 2_400;
      while (performance.now() < busyUntil);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await stall(2_400);
  // It may be over already: the first one is served.
  let refused = await other.call("GET", "/menu");
  expect(refused.statusCode).toBe(200);
  await eventually(async () => {
    await stall(2_400);
    refused = await other.call("GET", "/menu");
    return refused.statusCode !== 200;
  }, 10);
  expectProblem(refused, 503, "unavailable");
  expect(refused.headers["retry-after"]).toBe("2");
  expect((await other.call("GET", "/health/live")).statusCode).toBe(200);
  const health = await other.call("GET", "/health");
  expect(health.statusCode).toBe(503);
  expect(health.json()).toEqual({ status: "unavailable", checks: { event_loop: "failing" } });
  await eventually(async () => (await other.call("GET", "/menu")).statusCode === 200);
});
