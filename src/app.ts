// The map of the API: what every request passes, then the routes.
import type { FastifyBaseLogger } from "fastify";
import type { Redis } from "ioredis";
import { authRoutes } from "./auth/routes.ts";
import { sessionRoutes } from "./auth/session-routes.ts";
import { signUpRoutes } from "./auth/sign-up-routes.ts";
import { registerTokens } from "./auth/tokens.ts";
import { cartRoutes } from "./carts/routes.ts";
import { categoryRoutes } from "./catalog/category-routes.ts";
import { imageAdminRoutes, imageRoute } from "./catalog/image-routes.ts";
import { openImageStore } from "./catalog/images.ts";
import { importRoutes } from "./catalog/import-routes.ts";
import type { Menu } from "./catalog/menu-cache.ts";
import { productRoutes } from "./catalog/product-routes.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import type { CheckoutContext } from "./checkout/context.ts";
import { checkoutRoutes } from "./checkout/routes.ts";
import type { Settings } from "./config.ts";
import type { Pool } from "./db/pool.ts";
import { collectEventGauges } from "./events/gauges.ts";
import { registerCors } from "./http/cors.ts";
import { registerErrorHandler, rejectUnknownRoutes } from "./http/errors.ts";
import { registerLoadShedding } from "./http/load-shedding.ts";
import { createGuessLimiter, registerRateLimit } from "./http/rate-limit.ts";
import { rootRoute } from "./http/root.ts";
import { createServer } from "./http/server.ts";
import { rejectUnexpectedBodies } from "./http/validation.ts";
import { notificationRoutes } from "./notifications/routes.ts";
import { healthRoutes } from "./observability/health.ts";
import { metricsRoute } from "./observability/metrics.ts";
import { registerDocs } from "./openapi/docs-pages.ts";
import { orderFeedRoutes } from "./order-feed/routes.ts";
import { customerOrderRoutes } from "./orders/customer-routes.ts";
import { collectOrderGauges } from "./orders/gauges.ts";
import { orderRoutes } from "./orders/routes.ts";
import { paymentRoutes } from "./payments/routes.ts";
import { promotionRoutes } from "./promotions/routes.ts";
import { collectRefundGauges } from "./refunds/gauges.ts";
import { refundRoutes } from "./refunds/routes.ts";
import { salesRoutes } from "./reports/routes.ts";
import { staffPageRoutes } from "./staff-page/routes.ts";
import { identityRoutes } from "./users/identity-routes.ts";
import { userRoutes } from "./users/routes.ts";

export interface AppDependencies {
  settings: Settings;
  sql: Pool;
  checkout: CheckoutContext;
  menu: Menu;
  log: FastifyBaseLogger;
  /** Undefined: instances share only the database. */
  redis: Redis | undefined;
}

/** Returns the whole service as an app that is not listening yet. */
export async function buildApp({ settings, sql, checkout, menu, redis, log }: AppDependencies) {
  const app = createServer(settings, sql, log);
  rejectUnexpectedBodies(app);
  registerErrorHandler(app);
  if (settings.sentryDsn) (await import("./observability/sentry.ts")).reportFailures(app, settings.sentryDsn);
  await registerCors(app);
  await registerLoadShedding(app);
  await registerRateLimit(app, redis);
  rejectUnknownRoutes(app);
  const withGuessLimit = createGuessLimiter(app);
  await registerTokens(app, settings.jwtSecrets, settings.accessTokenMinutes);
  await registerDocs(app);

  const store = await openImageStore(settings);
  const prefix = settings.apiPrefix;
  await app.register(rootRoute);
  const collectors = [collectOrderGauges, collectEventGauges, collectRefundGauges];
  await app.register(metricsRoute, { redis, collectors });
  await app.register(healthRoutes, { prefix, redis });
  await app.register(authRoutes, { prefix, withGuessLimit });
  await app.register(signUpRoutes, { prefix, withGuessLimit });
  await app.register(sessionRoutes, { prefix });
  await app.register(userRoutes, { prefix });
  await app.register(identityRoutes, { prefix });
  await app.register(catalogRoutes, { prefix, menu });
  await app.register(productRoutes, { prefix, menu });
  await app.register(categoryRoutes, { prefix, menu });
  await app.register(importRoutes, { prefix, menu });
  await app.register(imageAdminRoutes, { prefix, menu, store });
  await app.register(imageRoute, { store });
  await app.register(promotionRoutes, { prefix });
  await app.register(checkoutRoutes, { prefix, checkout });
  await app.register(orderRoutes, { prefix });
  await app.register(cartRoutes, { prefix });
  await app.register(customerOrderRoutes, { prefix });
  await app.register(salesRoutes, { prefix });
  await app.register(refundRoutes, { prefix });
  await app.register(paymentRoutes, { prefix });
  await app.register(notificationRoutes, { prefix });
  await app.register(orderFeedRoutes, { prefix });
  await app.register(staffPageRoutes);
  return app;
}
