// The very settings and rules that compose.yaml mounts, in a real Prometheus that looks at a real instance.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "./free-port.ts";
import { cloneDatabase, eventually } from "./harness.ts";
import { startInstance } from "./instance.ts";
import { missing } from "./skip-if-unavailable.ts";

const noPrometheus = missing("prometheus", () =>
  execFileSync("prometheus", ["--version"], { stdio: "ignore" }),
);

test.skipIf(noPrometheus)(
  "Prometheus takes the settings, reads an instance and evaluates every rule",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "ristretto-prometheus-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const instance = await startInstance({
      DATABASE_URL: await cloneDatabase(),
      PAYMENT_SERVICE_URL: "http://127.0.0.1:1/payments",
      NOTIFICATION_SERVICE_URL: "http://127.0.0.1:1/notifications",
    });
    onTestFinished(() => void instance.end("SIGKILL"));

    await cp("deploy/prometheus", folder, { recursive: true });
    const settings = join(folder, "prometheus.yml");
    const targets = /\[api-1:8000, .*\]/;
    const given = await readFile(settings, "utf8");
    expect(given).toMatch(targets);
    // Other places, and less patience; the rest is as it is.
    const host = new URL(instance.url).host;
    await writeFile(settings, given.replace(targets, `["${host}"]`).replaceAll("15s", "1s"));
    const port = await freePort();
    const prometheus = spawn(
      "prometheus",
      [
        `--config.file=${settings}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=error",
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    onTestFinished(async () => {
      prometheus.kill("SIGKILL");
      await once(prometheus, "exit");
    });

    interface Rule {
      name: string;
      health: string;
    }
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
      if (!response?.ok) return undefined;
      const { data } = (await response.json()) as {
        data: { activeTargets?: { health: string }[]; groups?: { rules: Rule[] }[] };
      };
      return data;
    };
    await eventually(async () => (await ask("targets"))?.activeTargets?.[0]?.health === "up", 15);
    const rules = await eventually(async () => {
      const all = (await ask("rules"))?.groups?.flatMap((group) => group.rules);
      return all?.every(({ health }) => health !== "unknown") ? all : undefined;
    }, 15);
    expect(rules.length).toBeGreaterThan(5);
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
  },
);
