// The start with a driver that lacks a fix of the folder patches.
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cloneDatabase } from "./harness.ts";

const project = resolve(import.meta.dirname, "..");
const run = promisify(execFile);
let folder: string;
let env: NodeJS.ProcessEnv;

/** Runs patch-package on the folder's own copy of the driver. */
const patch = (...options: string[]) =>
  run(process.execPath, [join(project, "node_modules/patch-package/index.js"), ...options], { cwd: folder });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ristretto-driver-"));
  for (const name of ["package.json", "package-lock.json", "patches", "src"])
    await cp(join(project, name), join(folder, name), { recursive: true });
  await mkdir(join(folder, "node_modules"));
  for (const name of await readdir(join(project, "node_modules")))
    if (name !== "postgres")
      await symlink(join(project, "node_modules", name), join(folder, "node_modules", name));
  await cp(join(project, "node_modules/postgres"), join(folder, "node_modules/postgres"), {
    recursive: true,
  });
  env = {
    PATH: process.env.PATH,
    NODE_ENV: "production",
    DATABASE_URL: await cloneDatabase(),
    JWT_SECRET_KEY: "a secret of this test that is long enough",
    PAYMENT_SERVICE_URL: "http://127.0.0.1:9/payments",
    NOTIFICATION_SERVICE_URL: "http://127.0.0.1:9/notifications",
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const commands = [["src/main.ts"], ["src/worker.ts"], ["src/cli.ts", "doctor"]];

const start = (command: string[]) =>
  run(process.execPath, command, { cwd: folder, env, timeout: 30_000 }).catch((error) => error);

test("a driver without a patch is refused in one sentence", async () => {
  await patch("--reverse");
  await rm(join(folder, "patches/postgres+3.4.9+008+open-portal.patch"));
  await patch();
  for (const command of commands)
    expect(await start(command), command.join(" ")).toMatchObject({
      code: 1,
      stderr: "\nThe database driver is not postgres.js 3.4.9 with every fix of patches/: run npm ci.\n\n",
    });
});

test("an unpatched driver is refused", async () => {
  await patch("--reverse");
  for (const command of commands)
    expect((await start(command)).stderr, command.join(" ")).toContain(
      "The database driver is not postgres.js 3.4.9",
    );
});
