import { createHmac } from "node:crypto";

/** Signs a JWT by hand: HS256 over any claims, valid for ten minutes unless they say otherwise. */
export function signTestToken(claims: Record<string, unknown>, secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const unsigned = `${part({ alg: "HS256", typ: "JWT" })}.${part({ typ: "access", iat: now, exp: now + 600, ...claims })}`;
  return `${unsigned}.${createHmac("sha256", secret).update(unsigned).digest("base64url")}`;
}
