// One PostgreSQL for the run, and in it one database with the schema, which each test file clones.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";
import { migrate } from "../src/db/migrate.ts";
import { openPool } from "../src/db/pool.ts";
import { startPostgres } from "../src/dev/postgres.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** A superuser's URL of the run's PostgreSQL. */
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject) {
  // Where the processes that tests start leave word of what they ran; coverage.mjs reads it.
  await rm("coverage/processes", { recursive: true, force: true });
  if (project.config.coverage.enabled) process.env.NODE_V8_COVERAGE = resolve("coverage/processes");
  const folder = await mkdtemp(join(tmpdir(), "ristretto-test-"));
  // What a test writes need not survive a power cut.
  const postgres = await startPostgres(folder, {
    fsync: "off",
    full_page_writes: "off",
    max_connections: "300",
  });
  const sql = openPool(postgres.url, { name: "test setup", max: 1 });
  await sql`create database ristretto_template`;
  await sql.end();
  await migrate(postgres.url.replace(/\/postgres$/, "/ristretto_template"));
  project.provide("postgresUrl", postgres.url);

  return async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
