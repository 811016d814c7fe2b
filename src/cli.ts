// Commands for operators: `npm run migrate`, `npm run seed`, `npm run create-manager -- --email …`, `npm run doctor`.
import { parseArgs } from "node:util";
import { Value } from "@sinclair/typebox/value";
import { createManager } from "./auth/create-manager.ts";
import { OperatorError } from "./config.ts";
import { migrate, seed } from "./db/migrate.ts";
import { openPool } from "./db/pool.ts";
import { countDelayedEvents } from "./events/queries.ts";
import { Email, toEmail } from "./http/schemas.ts";
import { runProcess } from "./lifecycle.ts";
import { countFailedNotifications } from "./notifications/queries.ts";
import { runDiagnostics } from "./observability/doctor.ts";
import { sumImbalances } from "./refunds/queries.ts";

const [command, ...args] = process.argv.slice(2);

// The code is hashed with the secret of the instance that will verify it.
const required = command === "create-manager" ? ["DATABASE_URL", "JWT_SECRET_KEY"] : ["DATABASE_URL"];

await runProcess(async ({ settings, log, stack }) => {
  const databaseUrl = settings.production
    ? settings.databaseUrl!
    : await (await import("./dev/defaults.ts")).findOrStartDatabase(settings, stack);

  if (command === "migrate") {
    await migrate(databaseUrl);
    log.info("the schema is up to date");
    return "exit";
  }
  if (command === "seed") {
    if (settings.production)
      throw new OperatorError("The seeds are for development: their passwords are public");
    await migrate(databaseUrl);
    const sql = openPool(databaseUrl, { name: "seed", max: 1 });
    stack.defer(() => sql.end());
    await seed(sql);
    log.info("the seed users and the seed catalog are in place");
    return "exit";
  }
  if (command === "create-manager") {
    if (!settings.production) await migrate(databaseUrl);
    const sql = openPool(databaseUrl, { name: "create-manager", max: 1 });
    stack.defer(() => sql.end());
    const { email, code } = await createManager(sql, settings, readEmail());
    console.log(`
  ${email} is now a manager. Set the password within 15 minutes, with the code ${code}:

    POST ${settings.apiPrefix}/auth/password/reset {"email": "${email}", "code": "${code}", "password": "…"}
`);
    return "exit";
  }
  if (command === "doctor") {
    const diagnostics = await runDiagnostics({ ...settings, databaseUrl }, [
      sumImbalances,
      countFailedNotifications,
      countDelayedEvents,
    ]);
    for (const { about, state, detail } of diagnostics) console.log(`${state.padEnd(8)} ${about}: ${detail}`);
    if (diagnostics.some(({ state }) => state === "PROBLEM"))
      throw new OperatorError("Something needs attention.");
    return "exit";
  }
  throw new OperatorError(`Unknown command: ${command}`);
}, required);

function readEmail(): string {
  const usage = "Usage: npm run create-manager -- --email manager@example.com";
  try {
    const { email } = parseArgs({ args, options: { email: { type: "string" } } }).values;
    if (email !== undefined && Value.Check(Email, email)) return toEmail(email);
  } catch {
    // An unknown option.
  }
  throw new OperatorError(usage);
}
