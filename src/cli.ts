// The operator's commands: `npm run migrate`, `npm run seed`.
import { openPool } from "./db.ts";
import { migrate, seed } from "./migrate.ts";
import { complete, PlainError, runProcess } from "./runtime.ts";

const [command] = process.argv.slice(2);

await runProcess(
  async ({ settings, log, stack }) => {
    const databaseUrl = settings.production
      ? complete(settings).databaseUrl
      : await (await import("./sandbox/fill-in.ts")).fillInDatabase(settings, stack);

    if (command === "migrate") {
      await migrate(databaseUrl);
      log.info("the schema is up to date");
      return "done";
    }
    if (command === "seed") {
      if (settings.production)
        throw new PlainError("The seeds are for development: their passwords are known to everybody");
      await migrate(databaseUrl);
      const sql = openPool(databaseUrl, { name: "seed", max: 1 });
      stack.defer(() => sql.end());
      await seed(sql);
      log.info("the seed users and the seed catalog are there");
      return "done";
    }
    throw new PlainError(`There is no command ${command}`);
  },
  ["DATABASE_URL"],
);
