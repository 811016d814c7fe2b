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

const maxCachedTokens = 1_000;

/** Registers @fastify/jwt with the first of `secrets`. The algorithm is pinned: tokens with another are rejected. */
export async function registerTokens(app: FastifyInstance, secrets: [string, ...string[]], minutes: number) {
  await app.register(jwt, {
    secret: secrets[0],
    sign: { algorithm: "HS256", expiresIn: `${minutes}m` },
    verify: { algorithms: ["HS256"], requiredClaims: ["sub", "exp"], cache: maxCachedTokens },
  });
}

export const signAccessToken = (app: FastifyInstance, user: AuthenticatedUser) =>
  app.jwt.sign({ sub: user.id, role: user.role, typ: "access", jti: newId() });

export function readAccessToken(
  app: FastifyInstance,
  token: string,
  secrets: string[],
): AuthenticatedUser | undefined {
  for (const key of secrets) {
    const options = key === secrets[0] ? undefined : { key, cache: false };
    try {
      const { sub, role, typ } = app.jwt.verify<AccessToken>(token, options);
      if (typ !== "access" || !isUuid(sub) || !roles.includes(role)) return undefined;
      return { id: sub, role };
    } catch {
      // Perhaps signed with the next secret.
    }
  }
  return undefined;
}

/** Returns an opaque refresh token of 256 bits, and the hash to store. */
export function newRefreshToken(): { token: string; hash: Buffer } {
  const token = randomBytes(32).toString("base64url");
  return { token, hash: hashToken(token) };
}

/** Returns the hash to store. Plain SHA-256, since 256 random bits can't be guessed. */
export const hashToken = (token: string) => createHash("sha256").update(token).digest();
