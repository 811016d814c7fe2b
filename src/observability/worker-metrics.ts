// What a worker beside the instances counts, for Prometheus: it has no routes, and nobody else knows.
import { once } from "node:events";
import { createServer } from "node:http";
import { register } from "prom-client";
import "./metrics.ts";

/** The others are counted in instances, or asked of the database there. */
const ofWorkers = /^(mails|notifications|refunds)_total$|^(process|nodejs)_/;

/** Answers at `/metrics`; gives the function that ends it. Throws if the port is taken. */
export async function serveWorkerMetrics(host: string, port: number): Promise<() => Promise<void>> {
  const server = createServer(async ({ url }, response) => {
    if (url !== "/metrics") return void response.writeHead(404).end();
    const names = register.getMetricsAsArray().map(({ name }) => name);
    const told = names.filter((name) => ofWorkers.test(name));
    const figures = await Promise.all(told.map((name) => register.getSingleMetricAsString(name)));
    response.writeHead(200, { "content-type": register.contentType }).end(`${figures.join("\n\n")}\n`);
  });
  await once(server.listen(port, host), "listening");
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
