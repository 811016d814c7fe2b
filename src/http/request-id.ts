import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Returns the client's X-Request-Id if it is 1 to 64 printable ASCII characters, else a new UUID. */
export function requestIdOf({ headers }: { headers: IncomingHttpHeaders }): string {
  const id = headers["x-request-id"];
  return typeof id === "string" && /^[\x20-\x7e]{1,64}$/.test(id) ? id : randomUUID();
}
