import { once } from "node:events";
import { createServer } from "node:http";
import { register } from "prom-client";
import "./metrics.ts";

/** The instances serve all other metrics. */
const workerMetrics = /^(mails|notifications|refunds)_total$|^(process|nodejs)_/;

/** Returns the function that stops it. Throws if the port is taken. */
export async function serveWorkerMetrics(host: string, port: number): Promise<() => Promise<void>> {
  const server = createServer(async ({ url }, response) => {
    if (url !== "/metrics") return void response.writeHead(404).end();
    const names = register.getMetricsAsArray().map(({ name }) => name);
    const served = names.filter((name) => workerMetrics.test(name));
    const figures = await Promise.all(served.map((name) => register.getSingleMetricAsString(name)));
    response.writeHead(200, { "content-type": register.contentType }).end(`${figures.join("\n\n")}\n`);
  });
  await once(server.listen(port, host), "listening");
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
