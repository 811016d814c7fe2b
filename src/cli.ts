// The operator's commands: `npm run migrate`, `npm run seed`.
import { openPool } from "./db.ts";
import { migrate, seed } from "./migrate.ts";
import { complete, runProcess } from "./runtime.ts";

const [command] = process.argv.slice(2);

await runProcess(async ({ settings: given, log, stack }) => {
  const { databaseUrl } = given.production
    ? complete(given)
    : await (await import("./sandbox/fill-in.ts")).fillInBeside(given, stack);

  if (command === "migrate") {
    await migrate(databaseUrl);
    log.info("the schema is up to date");
    return "done";
  }
  if (command === "seed") {
    if (given.production)
      throw new Error("The seeds are for development: their passwords are known to everybody");
    const sql = openPool(databaseUrl, { name: "seed", max: 1 });
    stack.defer(() => sql.end());
    await seed(sql);
    log.info("the seed users and the seed catalog are there");
    return "done";
  }
  throw new Error(`There is no command ${command}`);
});
