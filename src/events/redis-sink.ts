import { Redis } from "ioredis";
import { isUuid } from "../http/validation.ts";
import { type Published, Refused, type Sink } from "./delivery.ts";

const stream = "ristretto:events";
/** Entries kept, about. */
const trimmedAt = 100_000;

// Adds the events if the stream's end is still where we left it, else tells where it is. In one step: a stream that was
// flushed between the look and the addition would seem whole for ever. The end is the last id that the stream gave out,
// which stays when entries are deleted by whoever reads them, or trimmed.
const append = `
  local last = ''
  local exists = redis.call('EXISTS', KEYS[1]) == 1
  if exists then
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
  end
  if last ~= ARGV[1] then
    local tail = exists and redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    return { 'moved', last, tail and tail[2][2] or '' }
  end
  for i = 2, #ARGV do
    last = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${trimmedAt}, '*', 'event', ARGV[i])
  end
  return { 'added', last }`;

/** What Redis answers to a value that is longer than it takes (proto-max-bulk-len). */
const tooLarge = /invalid bulk length|exceeds maximum allowed size/;

/** The stream in Redis; one field, `event`, of JSON. */
export function openRedisSink(url: string): Sink {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    commandTimeout: 10_000,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1_000),
    // What can't be sent now fails now: the delivery keeps the order, and a queue of the client's would not.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
  // Each failing call says so itself.
  redis.on("error", () => {});

  return {
    name: "redis",
    async publish(events, mark): Promise<Published> {
      if (redis.status === "wait" || redis.status === "end") await redis.connect();
      const lines = events.map((event) => JSON.stringify(event));
      try {
        const answer = await redis.eval(append, 1, stream, mark ?? "", ...lines);
        const [what, last, tail] = answer as ["added" | "moved", string, string];
        if (what === "added") return { mark: last || null };
        return { mark: last || null, moved: last === "" ? "to nothing" : { tail: eventId(tail) } };
      } catch (error) {
        throw error instanceof Error && tooLarge.test(error.message) ? new Refused(error.message) : error;
      }
    },
    close: async () => redis.disconnect(),
  };
}

/** The id of the event in an entry, if it is one. */
function eventId(entry: string): string | undefined {
  try {
    const { id } = JSON.parse(entry) as { id: string };
    return isUuid(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
