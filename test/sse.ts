// A client of server-sent events, over real HTTP.
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

export interface Message {
  event: string;
  id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  data: any;
}

export interface EventStream {
  response: IncomingMessage;
  messages: Message[];
  /** Lines that begin with a colon. */
  comments: string[];
  /** The message that comes n-th, from 0. */
  nth: (n: number, patienceMs?: number) => Promise<Message>;
  ended: Promise<void>;
  close: () => void;
}

export async function openStream(
  url: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<EventStream> {
  const outgoing = request(url, { headers: { authorization: `Bearer ${token}`, ...headers }, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const messages: Message[] = [];
  const comments: string[] = [];
  let waiting: (() => void)[] = [];
  let rest = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    const frames = (rest + chunk).split("\n\n");
    rest = frames.pop()!;
    for (const frame of frames) {
      const lines = frame.split("\n");
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      comments.push(...lines.filter((line) => line.startsWith(":")));
      const data = field("data");
      if (data) messages.push({ event: field("event")!, id: field("id"), data: JSON.parse(data) });
    }
    for (const wake of waiting) wake();
    waiting = [];
  });
  response.on("error", () => {});
  const ended = new Promise<void>((resolve) => response.once("close", resolve));
  return {
    response,
    messages,
    comments,
    ended,
    close: () => response.destroy(),
    async nth(n, patienceMs = 5_000) {
      const deadline = Date.now() + patienceMs;
      while (messages.length <= n) {
        if (Date.now() > deadline || response.closed)
          throw new Error(`message ${n} did not come: ${JSON.stringify(messages.map(({ event }) => event))}`);
        await Promise.race([new Promise<void>((resolve) => waiting.push(resolve)), ended, tick()]);
      }
      return messages[n]!;
    },
  };
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 200).unref());
