import { Redis } from "ioredis";
import { isUuid } from "../http/validation.ts";
import { PermanentSinkError, type PublishResult, type Sink } from "./delivery.ts";

const stream = "ristretto:events";
/** Approximate length at which the stream is trimmed. */
const maxLength = 100_000;

// One script: a stream flushed between the check and the append would look complete for ever.
// The end is the last generated id, which stays when consumers delete entries.
const append = `
  local last = ''
  local exists = redis.call('EXISTS', KEYS[1]) == 1
  if exists then
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
  end
  if last ~= ARGV[1] then
    local tail = exists and redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    return { 'mismatch', last, tail and tail[2][2] or '' }
  end
  for i = 2, #ARGV do
    last = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${maxLength}, '*', 'event', ARGV[i])
  end
  return { 'added', last }`;

/** Redis' errors for a value above proto-max-bulk-len. */
const tooLarge = /invalid bulk length|exceeds maximum allowed size/;

/** Returns the sink that appends to the Redis stream; each entry has one field, `event`, of JSON. */
export function openRedisSink(url: string): Sink {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    commandTimeout: 10_000,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1_000),
    // Fail at once while disconnected: the delivery keeps the order, and the client's queue would not.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
  // Each failing call reports its error itself.
  redis.on("error", () => {});

  return {
    name: "redis",
    async publish(events, cursor): Promise<PublishResult> {
      if (redis.status === "wait" || redis.status === "end") await redis.connect();
      const lines = events.map((event) => JSON.stringify(event));
      try {
        const reply = await redis.eval(append, 1, stream, cursor ?? "", ...lines);
        const [result, last, tail] = reply as ["added" | "mismatch", string, string];
        if (result === "added") return { cursor: last || null };
        return {
          cursor: last || null,
          cursorMismatch: last === "" ? "emptied" : { lastEventId: readEventId(tail) },
        };
      } catch (error) {
        throw error instanceof Error && tooLarge.test(error.message)
          ? new PermanentSinkError(error.message)
          : error;
      }
    },
    close: async () => redis.disconnect(),
  };
}

/** Returns the id of the event in an entry; undefined for a foreign entry. */
function readEventId(entry: string): string | undefined {
  try {
    const { id } = JSON.parse(entry) as { id: string };
    return isUuid(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
