// The last two digits of a charge select the outcome: 13 is declined, 37 gets a 500, 99 gets no response.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface SandboxProvider {
  url: string;
  stop: () => Promise<void>;
}

const responseDelayMs = 5;

export async function startProvider(): Promise<SandboxProvider> {
  // A repeated idempotency key gets the first response, so that no charge is made twice.
  const responses = new Map<string, { status: number; body: object }>();

  function decide(path: string, body: { value?: number }): { status: number; body: object } | "no-response" {
    if (path === "/notifications") return { status: 200, body: { success: true } };
    const lastDigits = path === "/payments" ? (body.value ?? 0) % 100 : 0;
    if (lastDigits === 13) return { status: 402, body: { success: false, message: "The card was declined" } };
    if (lastDigits === 37) return { status: 500, body: { success: false, message: "Out of order" } };
    if (lastDigits === 99) return "no-response";
    return { status: 200, body: { success: true } };
  }

  async function respond(request: IncomingMessage, response: ServerResponse) {
    const path = request.url ?? "";
    const key = `${path} ${request.headers["idempotency-key"]}`;
    const decision = responses.get(key) ?? decide(path, await readJson(request));
    if (decision === "no-response") return;
    if (request.headers["idempotency-key"] && decision.status < 500) responses.set(key, decision);
    await sleep(responseDelayMs);
    response
      .writeHead(decision.status, { "content-type": "application/json" })
      .end(JSON.stringify(decision.body));
  }

  const server = createServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end();
    respond(request, response).catch(() => response.writeHead(400).end());
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
