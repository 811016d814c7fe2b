// What a command uses where nothing is configured. Development only.
import { resolve } from "node:path";
import type { CompleteSettings, Settings } from "../config.ts";
import { OperatorError } from "../config.ts";
import { openPool } from "../db/pool.ts";
import { findPostgres, startPostgres } from "./postgres.ts";
import { startProvider } from "./provider.ts";

/** Where the data of a shop without a DATABASE_URL is kept between starts. */
const dataFolder = resolve(".data");

/**
 * Starts a PostgreSQL and a provider for the settings that name none, and defers their end to `stack`. Throws
 * AlreadyRunning.
 */
export async function fillIn(settings: Settings, stack: AsyncDisposableStack): Promise<CompleteSettings> {
  const databaseUrl = settings.databaseUrl ?? (await startDatabase(stack));
  return { ...settings, databaseUrl, ...(await fillInProvider(settings, stack)) };
}

/** The same for the worker, which runs beside the shop and shares its database. Throws if no shop is running. */
export async function fillInBeside(
  settings: Settings,
  stack: AsyncDisposableStack,
): Promise<CompleteSettings> {
  const databaseUrl = settings.databaseUrl ?? (await findDatabase());
  if (!databaseUrl)
    throw new OperatorError(
      "No shop is running here: WORKER=off npm start, or give the worker a DATABASE_URL.",
    );
  return { ...settings, databaseUrl, ...(await fillInProvider(settings, stack)) };
}

/** The database alone: the running shop's, else it is started for as long as `stack` lasts. */
export const fillInDatabase = async (settings: Settings, stack: AsyncDisposableStack): Promise<string> =>
  settings.databaseUrl ?? (await findDatabase()) ?? (await startDatabase(stack));

async function startDatabase(stack: AsyncDisposableStack): Promise<string> {
  const postgres = await startPostgres(dataFolder);
  stack.defer(postgres.stop);
  return postgres.url;
}

/** The database of the shop that is running here. */
async function findDatabase(): Promise<string | undefined> {
  const url = await findPostgres(dataFolder);
  if (!url) return undefined;
  const sql = openPool(url, { name: "look", max: 1 });
  try {
    await sql`select 1`;
    return url;
  } catch {
    return undefined;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function fillInProvider(settings: Settings, stack: AsyncDisposableStack) {
  const { paymentServiceUrl, paymentRefundUrl, notificationServiceUrl } = settings;
  if (paymentServiceUrl && notificationServiceUrl) return { paymentServiceUrl, notificationServiceUrl };
  const provider = await startProvider();
  stack.defer(provider.stop);
  return {
    paymentServiceUrl: paymentServiceUrl ?? `${provider.url}/payments`,
    // A payment provider of one's own without refunds stays one without.
    paymentRefundUrl: paymentRefundUrl ?? (paymentServiceUrl ? undefined : `${provider.url}/refunds`),
    notificationServiceUrl: notificationServiceUrl ?? `${provider.url}/notifications`,
  };
}

/** What greets a developer: where things are, who may sign in, and one line that orders an espresso. */
export const banner = (address: string, apiPrefix: string) => `
  Ristretto is open: ${address}

    docs     ${address}/docs
    menu     ${address}${apiPrefix}/menu
    staff    ${address}/admin
    sign in  customer@example.com / customer123 · barista@example.com / barista123 · manager@example.com / manager123
    order    ${orderLine(address + apiPrefix)}
`;

const orderLine = (api: string) =>
  [
    `curl -s ${api}/orders -H 'Content-Type: application/json' -H "Authorization: Bearer`,
    `$(curl -s ${api}/auth/token -d 'username=customer@example.com&password=customer123' |`,
    `sed 's/.*access_token":"\\([^"]*\\).*/\\1/')"`,
    `-d '{"items": [{"product_id": "01920000-0000-7000-8000-000000000201",`,
    `"variation_id": "01920000-0000-7000-8000-000000000303", "quantity": 1}]}'`,
  ].join(" ");
