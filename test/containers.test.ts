// The container files, by their structure: what a linter and an engine would find wrong first.
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";

const project = new URL("..", import.meta.url).pathname;
const read = (name: string) => readFile(join(project, name), "utf8");

interface Service {
  image: string;
  build?: string;
  command?: string[];
  read_only?: boolean;
  profiles?: string[];
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string | number>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
}

const compose: { services: Record<string, Service>; volumes: Record<string, unknown> } = parse(
  await read("compose.yaml"),
  { merge: true },
);
const { services } = compose;
const ofTheService = Object.entries(services).filter(([, { build }]) => build);

describe("compose.yaml", () => {
  test("has nginx, three instances, a worker, PostgreSQL, Redis and migrations; the rest by profile", () => {
    const unasked = Object.keys(services).filter((name) => !services[name]!.profiles);
    expect(unasked.sort()).toEqual(
      ["api-1", "api-2", "api-3", "migrate", "nginx", "postgres", "redis", "worker"].sort(),
    );
    expect(services.kafka!.profiles).toEqual(["events"]);
    for (const name of ["prometheus", "grafana"]) expect(services[name]!.profiles).toEqual(["monitoring"]);
  });

  test("passes every setting on, but for those that a container decides", async () => {
    const settings = (await read(".env.example")).match(/(?<=^#)[A-Z0-9_]+(?==)/gm)!;
    expect(settings).toContain("JWT_SECRET_KEY");
    // Where it listens: on all addresses, as in production, and on the port that nginx knows.
    const decided = ["HOST", "PORT"];
    for (const [name, { environment }] of ofTheService)
      expect(Object.keys(environment!), name).toEqual(
        expect.arrayContaining(settings.filter((setting) => !decided.includes(setting))),
      );
    expect(services["api-1"]!.environment).toMatchObject({ NODE_ENV: "production", WORKER: "off" });
  });

  test("holds no secret: each is taken from .env, and asked for where it is missing", () => {
    for (const [name, { environment }] of Object.entries(services))
      for (const [variable, value] of Object.entries(environment ?? {}))
        if (/PASSWORD|SECRET|TOKEN$|DSN/.test(variable))
          expect(value, `${name} ${variable}`).toMatch(/^\$\{/);
    for (const secret of ["JWT_SECRET_KEY", "PAYMENT_SERVICE_URL", "NOTIFICATION_SERVICE_URL"])
      expect(services["api-1"]!.environment![secret]).toMatch(/^\$\{\w+:\?/);
  });

  test("starts what it consists of after the migrations, and nginx after healthy instances", () => {
    for (const [name, { depends_on }] of ofTheService)
      expect(depends_on, name).toMatchObject(
        name === "migrate"
          ? { postgres: { condition: "service_healthy" } }
          : { migrate: { condition: "service_completed_successfully" } },
      );
    for (const name of ["api-1", "api-2", "api-3"]) {
      expect(services.nginx!.depends_on![name]!.condition).toBe("service_healthy");
      expect(Object.values(services.nginx!.environment!)).toContain(`${name}:8000`);
    }
    for (const { depends_on = {} } of Object.values(services))
      for (const name of Object.keys(depends_on)) expect(services).toHaveProperty(name);
  });

  test("lets Prometheus read every instance and the worker", async () => {
    const { scrape_configs } = parse(await read("deploy/prometheus/prometheus.yml"));
    const [{ static_configs }] = scrape_configs;
    const { METRICS_PORT } = services.worker!.environment!;
    expect(static_configs[0].targets).toEqual([
      ...["api-1", "api-2", "api-3"].map((name) => `${name}:8000`),
      `worker:${METRICS_PORT}`,
    ]);
  });

  test("runs the service on a read-only file system, with volumes for nothing of it", () => {
    for (const [name, service] of ofTheService) {
      expect(service, name).toMatchObject({ read_only: true, cap_drop: ["ALL"], init: false });
      expect(service.volumes, name).toBeUndefined();
    }
  });

  test("shows the outside nginx alone, and the operator's tools to the host alone", () => {
    for (const [name, { ports = [] }] of Object.entries(services))
      for (const port of ports)
        expect(port, name).toMatch(name === "nginx" ? /:8080$/ : /^127\.0\.0\.1:\d+:\d+$/);
  });

  test("pins every image, checks every server's health, and declares every volume", () => {
    for (const [name, service] of Object.entries(services)) {
      if (!service.build) {
        expect(service.image, name).toMatch(/:v?\d+[\w.-]*$/);
        expect(service.healthcheck?.test, name).toBeDefined();
      }
      for (const volume of service.volumes ?? []) {
        const [source] = volume.split(":") as [string];
        if (!source.startsWith("./")) expect(compose.volumes, name).toHaveProperty(source);
      }
    }
  });
});

describe("the Dockerfile", async () => {
  const text = (await read("Dockerfile")).replace(/\\\n/g, " ").replace(/^#.*$/gm, "");
  const lines = text.split("\n").filter((line) => line.trim());
  const the = (instruction: string) => lines.filter((line) => line.startsWith(`${instruction} `));

  test("builds on a pinned major version of a slim Node, the one that is developed on", async () => {
    const { devDependencies } = JSON.parse(await read("package.json"));
    const [major] = /\d+/.exec(devDependencies.node)!;
    for (const line of the("FROM")) expect(line).toMatch(new RegExp(`^FROM node:${major}-slim( AS \\w+)?$`));
    expect(the("FROM")).toHaveLength(2);
  });

  test("takes packages from the lock file, without those for development", () => {
    const installing = the("RUN").filter((line) => line.includes("npm"));
    expect(installing).toEqual([expect.stringMatching(/^RUN npm ci --omit=dev /)]);
    expect(the("ADD")).toEqual([]);
  });

  test("has the patches of the driver before npm ci applies them", () => {
    const install = lines.findIndex((line) => line.startsWith("RUN npm ci"));
    expect(lines.slice(0, install)).toContain("COPY patches ./patches");
    expect(the("ENV").join()).not.toContain("ignore_scripts");
  });

  test("is not root, and has node itself as PID 1", () => {
    expect(lines.indexOf("USER node")).toBeGreaterThan(lines.lastIndexOf(the("COPY").at(-1)!));
    expect(lines.indexOf("USER node")).toBeLessThan(lines.indexOf(the("CMD")[0]!));
    expect(the("CMD")).toEqual(['CMD ["node", "src/main.ts"]']);
  });

  test("checks whether it is alive in exec form", () => {
    const [check] = the("HEALTHCHECK");
    expect(JSON.parse(/CMD (\[.*\])/.exec(check!)![1]!).slice(0, 2)).toEqual(["node", "-e"]);
  });

  test("copies all that the commands of production read", async () => {
    // What the image has of src, by .dockerignore; what only development uses is imported only there.
    const folder = await mkdtemp(join(tmpdir(), "ristretto-image-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    expect((await read(".dockerignore")).trim().split("\n")).toEqual([
      "*",
      "!package.json",
      "!package-lock.json",
      "!migrations",
      "!patches",
      "!src",
      "src/dev",
    ]);
    for (const name of ["package.json", "migrations", "src"])
      await cp(join(project, name), join(folder, name), { recursive: true });
    await rm(join(folder, "src/dev"), { recursive: true });
    await symlink(join(project, "node_modules"), join(folder, "node_modules"));
    expect(lines).toContain("ENV NODE_COMPILE_CACHE=/app/compiled");
    const env = {
      PATH: process.env.PATH,
      NODE_ENV: "production",
      NODE_COMPILE_CACHE: join(folder, "compiled"),
    };
    for (const command of [["src/main.ts"], ["src/worker.ts"], ["src/cli.ts", "migrate"]]) {
      const failed = await promisify(execFile)(process.execPath, command, { cwd: folder, env }).catch(
        (e) => e,
      );
      expect(failed.stderr, command.join(" ")).toContain("DATABASE_URL is missing");
    }
    // Refusing to start leaves the compiled code behind.
    const [version] = await readdir(join(folder, "compiled"));
    expect((await readdir(join(folder, "compiled", version!))).length).toBeGreaterThan(500);
  });
});
