// The operator's commands: `npm run migrate`, `npm run seed`, `npm run create-manager -- --email …`, `npm run doctor`.
import { parseArgs } from "node:util";
import { Value } from "@sinclair/typebox/value";
import { createManager } from "./auth/create-manager.ts";
import { OperatorError } from "./config.ts";
import { migrate, seed } from "./db/migrate.ts";
import { openPool } from "./db/pool.ts";
import { Email, toEmail } from "./http/schemas.ts";
import { runProcess } from "./lifecycle.ts";
import { examine } from "./observability/doctor.ts";

const [command, ...args] = process.argv.slice(2);

// A code is hashed with the secret of the instance that it is shown to.
const required = command === "create-manager" ? ["DATABASE_URL", "JWT_SECRET_KEY"] : ["DATABASE_URL"];

await runProcess(async ({ settings, log, stack }) => {
  const databaseUrl = settings.production
    ? settings.databaseUrl!
    : await (await import("./dev/defaults.ts")).fillInDatabase(settings, stack);

  if (command === "migrate") {
    await migrate(databaseUrl);
    log.info("the schema is up to date");
    return "exit";
  }
  if (command === "seed") {
    if (settings.production)
      throw new OperatorError("The seeds are for development: their passwords are known to everybody");
    await migrate(databaseUrl);
    const sql = openPool(databaseUrl, { name: "seed", max: 1 });
    stack.defer(() => sql.end());
    await seed(sql);
    log.info("the seed users and the seed catalog are there");
    return "exit";
  }
  if (command === "create-manager") {
    if (!settings.production) await migrate(databaseUrl);
    const sql = openPool(databaseUrl, { name: "create-manager", max: 1 });
    stack.defer(() => sql.end());
    const { email, code } = await createManager(sql, settings, readEmail());
    console.log(`
  ${email} is a manager now. Within 15 minutes, set the password with the code ${code}:

    POST ${settings.apiPrefix}/auth/password/reset {"email": "${email}", "code": "${code}", "password": "…"}
`);
    return "exit";
  }
  if (command === "doctor") {
    const findings = await examine({ ...settings, databaseUrl });
    for (const { about, state, detail } of findings) console.log(`${state.padEnd(8)} ${about}: ${detail}`);
    if (findings.some(({ state }) => state === "PROBLEM"))
      throw new OperatorError("Something needs attention.");
    return "exit";
  }
  throw new OperatorError(`There is no command ${command}`);
}, required);

function readEmail(): string {
  const usage = "Say whose: npm run create-manager -- --email manager@example.com";
  try {
    const { email } = parseArgs({ args, options: { email: { type: "string" } } }).values;
    if (email !== undefined && Value.Check(Email, email)) return toEmail(email);
  } catch {
    // An option that there isn't.
  }
  throw new OperatorError(usage);
}
