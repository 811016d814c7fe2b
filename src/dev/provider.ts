// A stand-in for the payment and the notification provider, over real HTTP on the loopback interface. What it does
// is decided by the last two digits of a charge: 13 is declined, 37 answers 500, 99 never answers.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface SandboxProvider {
  /** `<url>/payments`, `<url>/refunds` and `<url>/notifications` take a POST. */
  url: string;
  stop: () => Promise<void>;
}

/** As long as a fast provider takes. */
const answerAfterMs = 5;

/** Listens on a free port until it is stopped. What it was asked for is forgotten then. */
export async function startProvider(): Promise<SandboxProvider> {
  // What each idempotency key was answered: asked again, it is answered the same, and nothing is charged twice.
  const answers = new Map<string, { status: number; body: object }>();

  function decide(path: string, body: { value?: number }): { status: number; body: object } | "silence" {
    if (path === "/notifications") return { status: 200, body: { success: true } };
    const lastDigits = path === "/payments" ? (body.value ?? 0) % 100 : 0;
    if (lastDigits === 13) return { status: 402, body: { success: false, message: "The card was declined" } };
    if (lastDigits === 37) return { status: 500, body: { success: false, message: "Out of order" } };
    if (lastDigits === 99) return "silence";
    return { status: 200, body: { success: true } };
  }

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const path = request.url ?? "";
    const key = `${path} ${request.headers["idempotency-key"]}`;
    const decision = answers.get(key) ?? decide(path, await readJson(request));
    if (decision === "silence") return;
    if (request.headers["idempotency-key"] && decision.status < 500) answers.set(key, decision);
    await sleep(answerAfterMs);
    response
      .writeHead(decision.status, { "content-type": "application/json" })
      .end(JSON.stringify(decision.body));
  }

  const server = createServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end();
    answer(request, response).catch(() => response.writeHead(400).end());
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readJson(request: IncomingMessage): Promise<{ value?: number }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
