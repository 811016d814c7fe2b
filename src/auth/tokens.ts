import { createHash, randomBytes } from "node:crypto";
import jwt from "@fastify/jwt";
import type { FastifyInstance } from "fastify";
import { newId } from "../db/ids.ts";
import { isUuid } from "../http/validation.ts";
import { type Role, roles } from "../users/schemas.ts";

export interface AuthenticatedUser {
  id: string;
  role: Role;
}

interface AccessToken {
  sub: string;
  role: Role;
  typ: "access";
  jti: string;
}

declare module "@fastify/jwt" {
  interface FastifyJWT {
    payload: AccessToken;
    user: AuthenticatedUser;
  }
}

/** Some 300 bytes each. */
const rememberedTokens = 1_000;

/** Signs with the first of `secrets`. The algorithm is pinned: a token that names another is refused. */
export async function registerTokens(app: FastifyInstance, secrets: [string, ...string[]], minutes: number) {
  await app.register(jwt, {
    secret: secrets[0],
    sign: { algorithm: "HS256", expiresIn: `${minutes}m` },
    // Valid tokens are remembered for ten minutes, if they live so long, for each is shown many times.
    verify: { algorithms: ["HS256"], requiredClaims: ["sub", "exp"], cache: rememberedTokens },
  });
}

/** A signed access token for the user, as he is now. */
export const signAccessToken = (app: FastifyInstance, user: AuthenticatedUser) =>
  app.jwt.sign({ sub: user.id, role: user.role, typ: "access", jti: newId() });

/** Who an access token names; undefined for any token that isn't a valid one of ours. */
export function readAccessToken(
  app: FastifyInstance,
  token: string,
  secrets: string[],
): AuthenticatedUser | undefined {
  for (const key of secrets) {
    // Of the first one there is a verifier already, which remembers.
    const options = key === secrets[0] ? undefined : { key, cache: false };
    try {
      const { sub, role, typ } = app.jwt.verify<AccessToken>(token, options);
      if (typ !== "access" || !isUuid(sub) || !roles.includes(role)) return undefined;
      return { id: sub, role };
    } catch {
      // Signed with another of our secrets, or not ours, or expired: the next one tells.
    }
  }
  return undefined;
}

/** An opaque refresh token of 256 bits, and the hash of it, which is all that is stored. */
export function newRefreshToken(): { token: string; hash: Buffer } {
  const token = randomBytes(32).toString("base64url");
  return { token, hash: hashToken(token) };
}

/** As a refresh token is stored: SHA-256, for there is nothing to guess in 256 bits. */
export const hashToken = (token: string) => createHash("sha256").update(token).digest();
