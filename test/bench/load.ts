// HTTP load over plain sockets, for a client library would take a good part of the two cores from what is measured.
import { connect, type Socket } from "node:net";

export interface Answer {
  status: number;
  ms: number;
  /** The status line and the headers. */
  head: string;
  body: () => string;
}

const nothing: Buffer = Buffer.alloc(0);

/** One keep-alive connection, with one request at a time. */
export class Connection {
  private received = nothing;
  private sentAt = 0;
  private settle: ((answer: Answer) => void) | undefined;
  private fail: ((error: Error) => void) | undefined;
  private readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk) => this.read(chunk));
    const broken = (error?: Error) => this.fail?.(error ?? new Error("the connection was closed"));
    this.socket.on("error", broken).on("close", () => broken());
  }

  send(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
      this.sentAt = performance.now();
      this.socket.write(request);
    });
  }

  private read(chunk: Buffer) {
    const all = this.received.length > 0 ? Buffer.concat([this.received, chunk]) : chunk;
    const headEnd = all.indexOf("\r\n\r\n");
    const head = headEnd < 0 ? "" : all.toString("latin1", 0, headEnd);
    const status = Number(head.slice(9, 12));
    const length =
      status === 304 || status === 204 ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (headEnd < 0 || all.length < headEnd + 4 + length) {
      this.received = all;
      return;
    }
    if (Number.isNaN(length)) throw new Error(`an answer without a length:\n${head}`);
    this.received = nothing;
    const ms = performance.now() - this.sentAt;
    this.settle!({ status, ms, head, body: () => all.toString("utf8", headEnd + 4) });
  }

  close() {
    this.fail = undefined;
    this.socket.destroy();
  }
}

/** Headers and body as one string. */
export function write(
  method: string,
  path: string,
  { token, headers = {}, body }: { token?: string; headers?: Record<string, string>; body?: unknown } = {},
) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const lines = {
    host: "localhost",
    ...(token && { authorization: `Bearer ${token}` }),
    ...(text !== undefined && {
      "content-type": "application/json",
      "content-length": `${Buffer.byteLength(text)}`,
    }),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n${text ?? ""}`;
}

export interface Load {
  perSecond: number;
  /** Of each answer, in milliseconds, sorted. */
  latencies: number[];
}

/** The value below which a share of them lies. */
export const percentile = (sorted: number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** What is expected of each answer, which must come true: a benchmark of refusals would be fast and worthless. */
function check({ status, body }: Answer, expected: number) {
  if (status !== expected) throw new Error(`${status} instead of ${expected}: ${body()}`);
}

/**
 * Each of so many connections asks as soon as it is answered, for a time. `next` gives the request of the nth one. `awake`:
 * this process never sleeps, for in a virtual machine an answer that has to wake it costs more than a small request.
 */
export async function loadFully(
  port: number,
  {
    connections,
    ms,
    expected,
    awake,
  }: { connections: number; ms: number; expected: number; awake?: boolean },
  next: (connection: number) => string,
): Promise<Load> {
  const open = Array.from({ length: connections }, () => new Connection(port));
  const latencies: number[] = [];
  const began = performance.now();
  const end = began + ms;
  const stayAwake = () => {
    if (performance.now() < end) setImmediate(stayAwake);
  };
  if (awake) stayAwake();
  await Promise.all(
    open.map(async (connection, nth) => {
      while (performance.now() < end) {
        const answer = await connection.send(next(nth));
        check(answer, expected);
        latencies.push(answer.ms);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  for (const connection of open) connection.close();
  return { perSecond: latencies.length / seconds, latencies: latencies.sort((a, b) => a - b) };
}

/** Asks at a steady rate, however long the answers take. Latency counts from the sending. */
export async function loadSteadily(
  port: number,
  { perSecond, ms, expected }: { perSecond: number; ms: number; expected: number },
  next: (nth: number) => string,
): Promise<Load> {
  const idle: Connection[] = [];
  const latencies: number[] = [];
  const under: Promise<void>[] = [];
  const began = performance.now();
  const ask = async (nth: number) => {
    const connection = idle.pop() ?? new Connection(port);
    const answer = await connection.send(next(nth));
    idle.push(connection);
    check(answer, expected);
    latencies.push(answer.ms);
  };
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = performance.now() - began;
      while (under.length < (Math.min(elapsed, ms) / 1_000) * perSecond) under.push(ask(under.length));
      if (elapsed < ms) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await Promise.all(under);
  const seconds = (performance.now() - began) / 1_000;
  for (const connection of idle) connection.close();
  return { perSecond: latencies.length / seconds, latencies: latencies.sort((a, b) => a - b) };
}
