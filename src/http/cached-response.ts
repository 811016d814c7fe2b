import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyReply } from "fastify";

interface Variant {
  bytes: Buffer;
  etag: string;
}
type Encoding = "identity" | "gzip" | "br";
export type Variants = Record<Encoding, Variant>;

// An edit waits for the compression: quality 5 is nearly as small as 11 and much faster.
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

export async function buildVariants(text: string): Promise<Variants> {
  const bytes = Buffer.from(text);
  const hash = createHash("sha256").update(bytes).digest("base64url");
  const [gzipped, brotli] = await Promise.all([
    promisify(gzip)(bytes),
    promisify(brotliCompress)(bytes, brotliOptions),
  ]);
  return {
    identity: { bytes, etag: `"${hash}"` },
    gzip: { bytes: gzipped, etag: `"${hash}-gz"` },
    br: { bytes: brotli, etag: `"${hash}-br"` },
  };
}

/** Returns the bytes of the variant that the client accepts; undefined with status 304 if it has one of them. */
export function negotiate(variants: Variants, headers: IncomingHttpHeaders, reply: FastifyReply) {
  const encoding = selectEncoding(headers["accept-encoding"] as string | undefined);
  const { bytes, etag } = variants[encoding];
  const vary = reply.getHeader("vary");
  reply.header("vary", vary ? `${vary}, Accept-Encoding` : "Accept-Encoding");
  reply.header("etag", etag).header("cache-control", "no-cache");
  const etags = Object.values(variants).map((variant) => variant.etag);
  if (matchesIfNoneMatch(etags, headers["if-none-match"])) {
    reply.code(304);
    return undefined;
  }
  if (encoding !== "identity") reply.header("content-encoding", encoding);
  return bytes;
}

/** Compares weakly, because proxies may weaken an ETag. */
export function matchesIfNoneMatch(etags: string[], ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  const matching = ["*", ...etags];
  return ifNoneMatch.split(",").some((tag) => matching.includes(tag.trim().replace(/^W\//, "")));
}

/** Ignores weights other than `q=0`. */
function selectEncoding(acceptEncoding = ""): Encoding {
  const accepted = acceptEncoding.split(",").flatMap((part) => {
    const [name, weight] = part.split(";").map((word) => word.trim().toLowerCase());
    return /^q=0(\.0*)?$/.test(weight ?? "") ? [] : name;
  });
  return (["br", "gzip"] as const).find((encoding) => accepted.includes(encoding)) ?? "identity";
}
