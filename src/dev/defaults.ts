// Defaults for development: an embedded PostgreSQL and simulated providers for the settings that are missing.
import { resolve } from "node:path";
import { type CompleteSettings, OperatorError, type Settings } from "../config.ts";
import { openPool } from "../db/pool.ts";
import { findPostgres, startPostgres } from "./postgres.ts";
import { startProvider } from "./provider.ts";

const dataFolder = resolve(".data");

/** Starts what the settings lack and defers its stop to `stack`. Throws AlreadyRunning if another instance runs. */
export async function applyDefaults(
  settings: Settings,
  stack: AsyncDisposableStack,
): Promise<CompleteSettings> {
  const databaseUrl = settings.databaseUrl ?? (await startDatabase(stack));
  return { ...settings, databaseUrl, ...(await providerDefaults(settings, stack)) };
}

/** The worker shares the database of the running instance; throws if none runs. */
export async function applyWorkerDefaults(
  settings: Settings,
  stack: AsyncDisposableStack,
): Promise<CompleteSettings> {
  const databaseUrl = settings.databaseUrl ?? (await findRunningDatabase());
  if (!databaseUrl)
    throw new OperatorError(
      "No shop is running here: WORKER=off npm start, or give the worker a DATABASE_URL.",
    );
  return { ...settings, databaseUrl, ...(await providerDefaults(settings, stack)) };
}

export const findOrStartDatabase = async (settings: Settings, stack: AsyncDisposableStack): Promise<string> =>
  settings.databaseUrl ?? (await findRunningDatabase()) ?? (await startDatabase(stack));

async function startDatabase(stack: AsyncDisposableStack): Promise<string> {
  const postgres = await startPostgres(dataFolder);
  stack.defer(postgres.stop);
  return postgres.url;
}

async function findRunningDatabase(): Promise<string | undefined> {
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

async function providerDefaults(settings: Settings, stack: AsyncDisposableStack) {
  const { paymentServiceUrl, paymentRefundUrl, notificationServiceUrl } = settings;
  if (paymentServiceUrl && notificationServiceUrl) return { paymentServiceUrl, notificationServiceUrl };
  const provider = await startProvider();
  stack.defer(provider.stop);
  return {
    paymentServiceUrl: paymentServiceUrl ?? `${provider.url}/payments`,
    // A configured payment provider without a refund URL keeps its refunds manual.
    paymentRefundUrl: paymentRefundUrl ?? (paymentServiceUrl ? undefined : `${provider.url}/refunds`),
    notificationServiceUrl: notificationServiceUrl ?? `${provider.url}/notifications`,
  };
}

export const banner = (address: string, apiPrefix: string) => `
  Ristretto is open: ${address}

    docs     ${address}/docs
    menu     ${address}${apiPrefix}/menu
    staff    ${address}/admin
    sign in  customer@example.com / customer123 · barista@example.com / barista123 · manager@example.com / manager123
    order    ${orderCommand(address + apiPrefix)}
`;

const orderCommand = (api: string) =>
  [
    `curl -s ${api}/orders -H 'Content-Type: application/json' -H "Authorization: Bearer`,
    `$(curl -s ${api}/auth/token -d 'username=customer@example.com&password=customer123' |`,
    `sed 's/.*access_token":"\\([^"]*\\).*/\\1/')"`,
    `-d '{"items": [{"product_id": "01920000-0000-7000-8000-000000000201",`,
    `"variation_id": "01920000-0000-7000-8000-000000000303", "quantity": 1}]}'`,
  ].join(" ");
