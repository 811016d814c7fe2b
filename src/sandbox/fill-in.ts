// What a command uses where nothing is configured. Development only.
import { resolve } from "node:path";
import type { CompleteSettings, Settings } from "../config.ts";
import { findPostgres, startPostgres } from "./postgres.ts";
import { startProvider } from "./provider.ts";

/** Where the data of a shop without a DATABASE_URL is kept between starts. */
const dataFolder = resolve(".data");

/**
 * Starts a PostgreSQL and a provider for the settings that name none, and defers their end to `stack`. Throws
 * AlreadyRunning.
 */
export async function fillIn(settings: Settings, stack: AsyncDisposableStack): Promise<CompleteSettings> {
  let { databaseUrl } = settings;
  if (!databaseUrl) {
    const postgres = await startPostgres(dataFolder);
    stack.defer(postgres.stop);
    databaseUrl = postgres.url;
  }
  return { ...settings, databaseUrl, ...(await fillInProvider(settings, stack)) };
}

/** The same for a command that runs beside the shop and shares its database. Throws if there is none. */
export async function fillInBeside(
  settings: Settings,
  stack: AsyncDisposableStack,
): Promise<CompleteSettings> {
  const databaseUrl = settings.databaseUrl ?? (await findPostgres(dataFolder));
  if (!databaseUrl) throw new Error("There is no DATABASE_URL, and no shop was ever started here: npm start");
  return { ...settings, databaseUrl, ...(await fillInProvider(settings, stack)) };
}

async function fillInProvider(settings: Settings, stack: AsyncDisposableStack) {
  const { paymentServiceUrl, notificationServiceUrl } = settings;
  if (paymentServiceUrl && notificationServiceUrl) return { paymentServiceUrl, notificationServiceUrl };
  const provider = await startProvider();
  stack.defer(provider.stop);
  return {
    paymentServiceUrl: paymentServiceUrl ?? `${provider.url}/payments`,
    notificationServiceUrl: notificationServiceUrl ?? `${provider.url}/notifications`,
  };
}

/** What greets a developer: where things are, who may sign in, and one line that orders an espresso. */
export const banner = (address: string, apiPrefix: string) => `
  Ristretto is open: ${address}

    docs     ${address}/docs
    menu     ${address}${apiPrefix}/menu
    sign in  customer@example.com / customer123 · barista@example.com / barista123 · manager@example.com / manager123
    order    curl -s ${address}${apiPrefix}/orders -H 'Content-Type: application/json' -H "Authorization: Bearer $(
               curl -s ${address}${apiPrefix}/auth/token -d username=customer@example.com -d password=customer123 |
               sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')" -d '{"items": [{"quantity": 1,
               "product_id": "01920000-0000-7000-8000-000000000201",
               "variation_id": "01920000-0000-7000-8000-000000000303"}]}'
`;
