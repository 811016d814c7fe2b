import type { Db } from "../db.ts";

export const roles = ["customer", "barista", "manager"] as const;
export type Role = (typeof roles)[number];

export interface Account {
  id: string;
  role: Role;
  password_hash: string | null;
  verified: boolean;
}

/** The account that signs in by `email`, which must be lower-case and trimmed. */
export async function findAccountByEmail(sql: Db, email: string): Promise<Account | undefined> {
  const [account] = await sql<Account[]>`
    select id, role, password_hash, verified_at is not null as verified
    from users
    where email = ${email} and deleted_at is null`;
  return account;
}

/** The role that a user has now; undefined for one who left or never was. */
export async function findRole(sql: Db, userId: string): Promise<Role | undefined> {
  const [user] = await sql<
    { role: Role }[]
  >`select role from users where id = ${userId} and deleted_at is null`;
  return user?.role;
}
