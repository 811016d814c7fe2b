// A session is the family of refresh tokens that descend from one sign-in.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { newId } from "../db/ids.ts";
import { type Account, findRole, lockUnchangedAccount } from "../users/queries.ts";
import type { Role } from "../users/schemas.ts";
import { endSession, insertSession, lockRefreshToken, rotateRefreshToken } from "./queries.ts";
import type { TokenPair } from "./schemas.ts";
import { hashToken, newRefreshToken, signAccessToken } from "./tokens.ts";

/** Opens a session. Returns undefined if the account was deleted or its password changed since it was read. */
export async function openSession(
  app: FastifyInstance,
  request: FastifyRequest,
  account: Account,
): Promise<TokenPair | undefined> {
  const { token, hash } = newRefreshToken();
  return app.sql.begin(async (tx) => {
    // A reset or a deletion that commits first changes the account. One that comes later ends this session too.
    if (!(await lockUnchangedAccount(tx, account))) return undefined;
    await insertSession(tx, {
      id: newId(),
      user_id: account.id,
      user_agent: request.headers["user-agent"]?.slice(0, 200) ?? null,
      token_hash: hash,
      days: app.settings.refreshTokenDays,
    });
    return tokenPair(app, account, token);
  });
}

/** Returns undefined for an invalid token. Reuse after the grace period ends the session: the token was copied. */
export async function refreshSession(app: FastifyInstance, oldToken: string): Promise<TokenPair | undefined> {
  const oldHash = hashToken(oldToken);
  const { token, hash } = newRefreshToken();
  return app.sql.begin(async (tx) => {
    const locked = await lockRefreshToken(tx, oldHash);
    // Returns instead of throwing, so that the end of the session is committed.
    if (locked?.reused) await endSession(tx, locked.user_id, locked.session_id);
    if (!locked || locked.reused || locked.expired) return undefined;
    const { session_id, user_id } = locked;
    const role = await findRole(tx, user_id);
    if (!role) return undefined;
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
