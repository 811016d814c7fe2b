// A payment provider that keeps books: what it has charged and given back is the truth that the shop is held against.
// It honours idempotency keys, and fails as it is told to.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** `cut` and `silence` come after the money has moved or before it. */
export type Mood =
  | "fine"
  | "declined"
  | "error"
  | "silence"
  | "cut"
  | "fine, then cut"
  | "fine, then silence";

export interface Bank {
  url: string;
  /** Cents charged, by payment id. */
  charged: Map<string, number>;
  /** Cents given back, by payment id. */
  refunded: Map<string, number>;
  /** How the next call goes. */
  mood: (path: string) => Mood;
  /** Called when a charge's request is read, before anything is done with it. */
  onCharge: (key: string) => Promise<void> | void;
  close: () => Promise<void>;
}

export async function openBank(): Promise<Bank> {
  const declined = new Set<string>();
  const refunds = new Set<string>();
  const bank: Bank = {
    url: "",
    charged: new Map(),
    refunded: new Map(),
    mood: () => "fine",
    onCharge: () => {},
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function charge(key: string, value: number, mood: Mood): number {
    if (declined.has(key)) return 402;
    if (bank.charged.has(key)) return 200;
    if (mood === "declined") {
      declined.add(key);
      return 402;
    }
    bank.charged.set(key, value);
    return 200;
  }

  function refund(key: string, paymentId: string, value: number): number {
    if (!bank.charged.has(paymentId)) return 404;
    if (!refunds.has(key)) bank.refunded.set(paymentId, (bank.refunded.get(paymentId) ?? 0) + value);
    refunds.add(key);
    return 200;
  }

  async function serve(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const path = request.url!;
    const key = String(request.headers["idempotency-key"]);
    if (path === "/payments") await bank.onCharge(key);
    const mood = bank.mood(path);
    if (mood === "silence") return;
    if (mood === "cut") return void request.socket.destroy();
    const answer = (status: number) =>
      response.writeHead(status, { "content-type": "application/json" }).end(`{"success":${status === 200}}`);
    if (mood === "error") return void answer(500);
    const status =
      path === "/payments"
        ? charge(key, body.value, mood)
        : path === "/refunds"
          ? refund(key, body.payment_id, body.value)
          : 200;
    if (mood === "fine, then silence") return;
    if (mood === "fine, then cut") return void request.socket.destroy();
    answer(status);
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => {}));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  bank.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return bank;
}
