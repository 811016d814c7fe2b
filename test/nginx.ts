// A real nginx of a test's own, with the very configuration that compose.yaml mounts.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { eventually } from "./harness.ts";
import { missing } from "./skip-if-unavailable.ts";

// Debian keeps it where a user's path may not lead.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

export const noNginx = missing("nginx", () => execFileSync("nginx", ["-v"], { stdio: "ignore", env }));

export interface Nginx {
  url: string;
  /** Takes other instances in their place, without dropping anybody. */
  point: (instances: string[]) => Promise<void>;
  close: () => Promise<void>;
}

/** Starts one in front of three instances, given by their URLs. */
export async function startNginx(instances: string[]): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-nginx-"));
  const template = await readFile(
    new URL("../deploy/nginx/ristretto.conf.template", import.meta.url),
    "utf8",
  );
  const port = await freePort();
  const inFolder = (name: string) => join(folder, name);
  const write = async (urls: string[]) => {
    const hosts = urls.map((url) => new URL(url).host);
    const site = template
      .replace(/\$\{API_([123])\}/g, (_all, nth) => hosts[Number(nth) - 1]!)
      .replace("listen 8080;", `listen 127.0.0.1:${port};`);
    await writeFile(inFolder("site.conf"), site);
  };
  await write(instances);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${inFolder(name)};`,
  );
  // As the image's own nginx.conf, but for places that need no root.
  await writeFile(
    inFolder("nginx.conf"),
    `${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 2; pid ${inFolder("pid")}; daemon off;
    error_log ${inFolder("error.log")}; events { worker_connections 1024; }
    http { access_log off; ${temporary.join(" ")} include ${inFolder("site.conf")}; }`,
  );
  const child: ChildProcess = spawn("nginx", ["-c", inFolder("nginx.conf"), "-p", folder], {
    stdio: "inherit",
    env,
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    return fetch(`${url}/metrics`).then(
      () => true,
      () => false,
    );
  });
  return {
    url,
    point: async (urls) => {
      await write(urls);
      child.kill("SIGHUP");
    },
    close: async () => {
      if (child.exitCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
