// Requests per second of GET /menu, against a bare Fastify route that sends a buffer of the same size, in turns.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { openPool } from "../../src/db.ts";
import { migrate, seed } from "../../src/migrate.ts";
import { startPostgres } from "../../src/sandbox/postgres.ts";

const sockets = 16;
// Requests on their way on each socket, so that the server and not the network is what is measured.
const ahead = 4;
const rounds = 5;
const roundMs = 3_000;

const [, , role, size] = process.argv;
if (role === "bare") await serveBare(Number(size));
else await measure();

async function serveBare(bytes: number) {
  const app = Fastify();
  const body = Buffer.alloc(bytes, "x");
  app.get("/api/v1/menu", (_request, reply) => reply.type("application/json; charset=utf-8").send(body));
  console.log(await app.listen({ port: 0, host: "127.0.0.1" }));
}

async function measure() {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-bench-"));
  const postgres = await startPostgres(folder);
  await migrate(postgres.url);
  const sql = openPool(postgres.url, { name: "bench", max: 1 });
  await seed(sql);
  await sql.end();
  const port = await freePort();
  const service = spawn(process.execPath, ["src/main.ts"], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: "production",
      HOST: "127.0.0.1",
      PORT: String(port),
      JWT_SECRET_KEY: "a secret of the benchmark that is long enough",
      DATABASE_URL: postgres.url,
      PAYMENT_SERVICE_URL: "http://127.0.0.1:1",
      NOTIFICATION_SERVICE_URL: "http://127.0.0.1:1",
      RATE_LIMIT_MAX: "0",
      WORKER: "off",
      LOG_LEVEL: process.env.LOG_LEVEL,
    },
    // The log is written, and read by nobody.
    stdio: ["ignore", "ignore", "inherit"],
  });
  const url = `http://127.0.0.1:${port}/api/v1/menu`;
  while (!(await fetch(url).catch(() => undefined))?.ok) await sleep(100);
  const menu = await (await fetch(url, { headers: { "accept-encoding": "identity" } })).arrayBuffer();
  const bare: ChildProcess = spawn(
    process.execPath,
    [import.meta.filename, "bare", String(menu.byteLength)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [bareUrl] = (await once(bare.stdout!, "data")) as [Buffer];

  const ports = { bare: new URL(String(bareUrl).trim()).port, menu: port };
  const results = { bare: [] as number[], menu: [] as number[] };
  for (let round = 0; round <= rounds; round++)
    for (const name of ["bare", "menu"] as const) {
      const perSecond = await load(Number(ports[name]));
      // The first round warms up.
      if (round > 0) results[name].push(perSecond);
    }
  const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!;
  const [menuMedian, bareMedian] = [median(results.menu), median(results.bare)];
  console.log(`body of ${menu.byteLength} bytes, ${sockets} connections, median of ${rounds} rounds`);
  console.log(`bare Fastify route  ${Math.round(bareMedian)} requests/s`);
  console.log(
    `GET /menu           ${Math.round(menuMedian)} requests/s, ${(menuMedian / bareMedian).toFixed(2)} of it`,
  );

  bare.kill();
  service.kill();
  await once(service, "exit");
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Asks as fast as it is answered; gives answers per second. Every answer has the same length. */
async function load(port: number): Promise<number> {
  const request = "GET /api/v1/menu HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const length = await lengthOfAnswer(port, request);
  let received = 0;
  const clients = Array.from({ length: sockets }, () => {
    const socket = connect(port, "127.0.0.1");
    let pending = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
      pending += chunk.length;
      const done = Math.floor(pending / length);
      pending -= done * length;
      if (done > 0) socket.write(request.repeat(done));
    });
    socket.write(request.repeat(ahead));
    return socket;
  });
  const began = performance.now();
  await sleep(roundMs);
  const seconds = (performance.now() - began) / 1_000;
  for (const client of clients) client.destroy();
  return received / length / seconds;
}

async function lengthOfAnswer(port: number, request: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  let length = 0;
  socket.on("data", (chunk) => {
    length += chunk.length;
  });
  socket.write(request);
  await sleep(300);
  socket.destroy();
  return length;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
