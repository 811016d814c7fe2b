// A session is the family of refresh tokens that descend from one sign-in.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { newId } from "../db/ids.ts";
import type { Account, Role } from "../users/queries.ts";
import { endSession, insertSession, lockRefreshToken, rotateRefreshToken } from "./queries.ts";
import type { TokenPair } from "./schemas.ts";
import { hashToken, newRefreshToken, signAccessToken } from "./tokens.ts";

/** Signs an account in; undefined if it left or changed its password since it was read. */
export async function openSession(
  app: FastifyInstance,
  request: FastifyRequest,
  account: Account,
): Promise<TokenPair | undefined> {
  const { token, hash } = newRefreshToken();
  const open = await insertSession(app.sql, {
    id: newId(),
    user_id: account.id,
    password_hash: account.password_hash,
    user_agent: request.headers["user-agent"]?.slice(0, 200) ?? null,
    token_hash: hash,
    days: app.settings.refreshTokenDays,
  });
  return open ? tokenPair(app, account, token) : undefined;
}

/**
 * A new pair for a refresh token; undefined for one that is not good. One that was rotated a while ago is in two
 * hands, and nobody knows which is the thief's: its whole session ends.
 */
export async function refreshSession(app: FastifyInstance, given: string): Promise<TokenPair | undefined> {
  const oldHash = hashToken(given);
  const { token, hash } = newRefreshToken();
  return app.sql.begin(async (tx) => {
    const locked = await lockRefreshToken(tx, oldHash);
    // Nothing is thrown here: the end of a session must be committed.
    if (locked?.reused) await endSession(tx, locked.user_id, locked.session_id);
    if (!locked || locked.reused || locked.expired) return undefined;
    const { session_id, user_id, role } = locked;
    const days = app.settings.refreshTokenDays;
    await rotateRefreshToken(tx, { session_id, old_hash: oldHash, new_hash: hash, days });
    return tokenPair(app, { id: user_id, role }, token);
  });
}

const tokenPair = (app: FastifyInstance, user: { id: string; role: Role }, token: string) => ({
  access_token: signAccessToken(app, user),
  token_type: "bearer" as const,
  expires_in: app.settings.accessTokenMinutes * 60,
  refresh_token: token,
});
