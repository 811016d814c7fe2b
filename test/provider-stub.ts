// A payment, refund and notification provider over real HTTP, which answers as a test tells it to and writes down
// every call.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Call {
  path: string;
  key: string | undefined;
  headers: IncomingMessage["headers"];
  body: Record<string, unknown>;
}

/** `silence`: read, and never answered. `reset`: the connection is cut once the request is read. */
export type Answer =
  | { status: number; body?: unknown; raw?: string; after?: Promise<unknown> }
  | "silence"
  | "reset";

export interface ProviderStub {
  url: string;
  calls: Call[];
  /** The calls of one path: `/payments`, `/refunds`, `/notifications`. */
  callsTo: (path: string) => Call[];
  /** Decides each answer from here on; the default is a plain success. */
  answer: (call: Call, nth: number) => Answer;
  reset: () => void;
  close: () => Promise<void>;
}

const success = (): Answer => ({ status: 200, body: { success: true } });

export async function startProviderStub(): Promise<ProviderStub> {
  const stub: ProviderStub = {
    url: "",
    calls: [],
    callsTo: (path) => stub.calls.filter((call) => call.path === path),
    answer: success,
    reset: () => {
      stub.calls = [];
      stub.answer = success;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function serve(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const call: Call = {
      path: request.url!,
      key: request.headers["idempotency-key"] as string | undefined,
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    };
    stub.calls.push(call);
    const answer = stub.answer(call, stub.callsTo(call.path).length);
    if (answer === "silence") return;
    if (answer === "reset") return void request.socket.destroy();
    await answer.after;
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(answer.raw ?? JSON.stringify(answer.body ?? {}));
  }

  const server = createServer((request, response) => void serve(request, response)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  stub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return stub;
}
