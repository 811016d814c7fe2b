// The yardstick of GET /menu: a Fastify with one route that sends a buffer of so many bytes, or an empty 304.
import type { AddressInfo } from "node:net";
import Fastify from "fastify";

const body = Buffer.alloc(Number(process.argv[2]), "x");
const app = Fastify();
app.get("/api/v1/menu", ({ headers }, reply) =>
  headers["if-none-match"]
    ? reply.code(304).send()
    : reply.type("application/json; charset=utf-8").send(body),
);
await app.listen({ port: 0, host: "127.0.0.1" });
console.log((app.server.address() as AddressInfo).port);
