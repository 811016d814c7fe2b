// A bucket over real HTTP that lets nobody in whose signature (AWS Signature Version 4) is wrong.
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export const credentials = { AWS_ACCESS_KEY_ID: "AKIATEST", AWS_SECRET_ACCESS_KEY: "a secret/of+the tests" };

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();

/** The signature that the request should have, made anew from what arrived; and the one that it has. */
function signatures(request: IncomingMessage, body: Buffer) {
  const [, scope = "", signed = "", given] =
    /^AWS4-HMAC-SHA256 Credential=AKIATEST\/(\S+), ?SignedHeaders=(\S+), ?Signature=(\w+)$/.exec(
      request.headers.authorization ?? "",
    ) ?? [];
  const url = new URL(request.url!, "http://bucket");
  const query = [...url.searchParams].map((pair) => pair.map(encodeURIComponent).join("=")).sort();
  const canonical = [
    request.method,
    url.pathname,
    query.join("&"),
    ...signed.split(";").map((name) => `${name}:${String(request.headers[name]).trim()}`),
    "",
    signed,
    sha256(body),
  ].join("\n");
  const [day = "", region = "", service = ""] = scope.split("/");
  const toSign = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const dayKey = hmac(`AWS4${credentials.AWS_SECRET_ACCESS_KEY}`, day);
  const key = hmac(hmac(hmac(dayKey, region), service), "aws4_request");
  return { given, expected: hmac(key, toSign).toString("hex"), region, service };
}

export async function startS3() {
  const objects = new Map<string, { type: string | undefined; bytes: Buffer }>();
  const refused: string[] = [];
  const regions = new Set<string>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { given, expected, region, service } = signatures(request, body);
    if (given !== expected || service !== "s3") {
      refused.push(`${request.method} ${request.url}`);
      return response.writeHead(403).end("<Error><Code>SignatureDoesNotMatch</Code></Error>");
    }
    regions.add(region);
    const path = request.url!.split("?")[0]!;
    if (request.method === "PUT") objects.set(path, { type: request.headers["content-type"], bytes: body });
    if (request.method === "DELETE") objects.delete(path);
    if (request.method !== "GET") return response.writeHead(request.method === "PUT" ? 200 : 204).end();
    const object = objects.get(path);
    if (!object) return response.writeHead(404).end("<Error><Code>NoSuchKey</Code></Error>");
    return response.writeHead(200, { "content-type": object.type }).end(object.bytes);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    refused,
    regions,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
