// Rows as the service itself would write them, made only as far as a test cares.
import argon2 from "argon2";
import { v7 as uuidv7 } from "uuid";
import { createProduct } from "../src/catalog/product-edit.ts";
import type { ProductPatch } from "../src/catalog/schemas.ts";
import type { Pool } from "../src/db/pool.ts";
import type { Role } from "../src/users/schemas.ts";

const password = "correct horse";
// A cheap hash, so that a busy machine signs in many users at once within the service's longest wait.
const hash = argon2.hash(password, { memoryCost: 1_024, timeCost: 1, parallelism: 1 });

export interface TestUser {
  id: string;
  email: string;
  password: string;
  role: Role;
}

export async function makeUser(
  sql: Pool,
  role: Role = "customer",
  { verified = true } = {},
): Promise<TestUser> {
  const id = uuidv7();
  const email = `${role}-${id.slice(-12)}@example.com`;
  await sql`
    insert into users (id, email, password_hash, role, verified_at)
    values (${id}, ${email}, ${await hash}, ${role}, ${verified ? sql`now()` : null})`;
  return { id, email, password, role };
}

let made = 0;

/** A product at 300 cents, without variations or options unless they are given. */
export const makeProduct = (sql: Pool, fields: ProductPatch = {}) =>
  createProduct(sql, { name: `Product ${++made}`, base_price_cents: 300, ...fields });
