// An answer that is made once and sent often: its bytes in every encoding, each with a strong ETag.
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyReply } from "fastify";

interface Representation {
  bytes: Buffer;
  etag: string;
  encoding?: "gzip" | "br";
}

export interface Representations {
  identity: Representation;
  gzip: Representation;
  br: Representation;
}

const brotliOf = promisify(brotliCompress);
const gzipOf = promisify(gzip);
// A tenth of the time of the best, and nearly as small: an edit of the menu waits for it.
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

/** Takes a text, gives its bytes in every encoding. */
export async function represent(text: string): Promise<Representations> {
  const bytes = Buffer.from(text);
  const hash = createHash("sha256").update(bytes).digest("base64url");
  const [gzipped, brotlied] = await Promise.all([gzipOf(bytes), brotliOf(bytes, brotliOptions)]);
  return {
    identity: { bytes, etag: `"${hash}"` },
    gzip: { bytes: gzipped, etag: `"${hash}-gz"`, encoding: "gzip" },
    br: { bytes: brotlied, etag: `"${hash}-br"`, encoding: "br" },
  };
}

/**
 * Sets the headers of the answer that the client takes, to be asked for anew each time; gives its bytes, or undefined
 * when the client has them: 304.
 */
export function negotiate(all: Representations, headers: IncomingHttpHeaders, reply: FastifyReply) {
  const { bytes, etag, encoding } = smallest(all, headers["accept-encoding"] as string | undefined);
  const vary = reply.getHeader("vary");
  reply.header("vary", vary ? `${vary}, Accept-Encoding` : "Accept-Encoding");
  reply.header("etag", etag).header("cache-control", "no-cache");
  if (clientHas([all.identity.etag, all.gzip.etag, all.br.etag], headers["if-none-match"])) return undefined;
  if (encoding) reply.header("content-encoding", encoding);
  return bytes;
}

/** Whether the client has one of these. Weakly: a proxy may have weakened a tag. */
export function clientHas(etags: string[], ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  // As it was sent, most often: nothing to take apart.
  if (etags.includes(ifNoneMatch)) return true;
  const known = ["*", ...etags];
  return ifNoneMatch.split(",").some((tag) => known.includes(tag.trim().replace(/^W\//, "")));
}

const named = {
  br: /(?:^|,)\s*br\s*(?:;\s*q=([\d.]+)\s*)?(?=,|$)/i,
  gzip: /(?:^|,)\s*gzip\s*(?:;\s*q=([\d.]+)\s*)?(?=,|$)/i,
};

/** What the client takes that is smallest. `q=0` is a refusal; other weights don't matter between these three. */
function smallest(all: Representations, acceptEncoding: string | undefined): Representation {
  if (acceptEncoding === undefined) return all.identity;
  for (const encoding of ["br", "gzip"] as const) {
    const found = named[encoding].exec(acceptEncoding);
    if (found && Number(found[1] ?? 1) > 0) return all[encoding];
  }
  return all.identity;
}
