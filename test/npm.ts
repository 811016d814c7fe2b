// The project's own commands, as who has just cloned it runs them: npm in a folder without data, real processes.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, readlink, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { eventually } from "./harness.ts";

const project = new URL("..", import.meta.url).pathname;

export type Env = Record<string, string>;

/** A command of npm: what it has said so far, and the code it ends with. */
export interface Command {
  pid: number;
  said: () => string;
  code: Promise<number | null>;
}

/** What a test started, to be killed however it ends. */
const groups = new Set<number>();

/** Runs a script of the project in a folder that `makeFolder` gave. */
export function npm(folder: string, script: string, env: Env = {}): Command {
  const { PATH, HOME, NODE_V8_COVERAGE = "" } = process.env as Env;
  // A group of its own, as a terminal gives to what it runs.
  const child: ChildProcess = spawn("npm", ["run", "--silent", script], {
    cwd: folder,
    env: { PATH: PATH!, HOME: HOME!, NODE_V8_COVERAGE, PORT: "0", ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  groups.add(child.pid!);
  let said = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
  return {
    pid: child.pid!,
    said: () => said,
    code: new Promise((resolve) => child.once("exit", resolve)),
  };
}

export interface Running extends Command {
  address: string;
  stop: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/** `npm start`, once it listens. */
export async function start(folder: string, env: Env = {}): Promise<Running> {
  const command = npm(folder, "start", env);
  const ended = command.code.then((code) => {
    throw new Error(`npm start ended with ${code}: ${command.said()}`);
  });
  ended.catch(() => {});
  const listening = () => /Server listening at (http[^"]+)/.exec(command.said())?.[1];
  const address = await Promise.race([eventually(listening, 15), ended]);
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    process.kill(command.pid, signal);
    return command.code;
  };
  return { ...command, address, stop };
}

/** A folder with the project in it and no data yet. */
export async function makeFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "ristretto-lifecycle-")));
  for (const name of ["package.json", "node_modules", "src"])
    await symlink(join(project, name), join(folder, name));
  return folder;
}

/** The processes that work in a folder: npm, node, PostgreSQL. */
export async function processesIn(folder: string): Promise<{ pid: number; name: string }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      if (cwd !== folder && !cwd.startsWith(`${folder}/`)) return [];
      const [command = ""] = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
      return [{ pid: Number(pid), name: basename(command) }];
    }),
  );
  return found.flat();
}

/** Kills the processes of a folder whose command is of this name. */
export async function killIn(folder: string, pattern: RegExp) {
  for (const { pid, name } of await processesIn(folder)) if (pattern.test(name)) kill(pid);
}

/** Ends everything that was started here; for after each test, however it ended. */
export function killStarted() {
  for (const pid of groups) kill(-pid);
  groups.clear();
}

function kill(pid: number) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Ends whatever still works in a folder, and removes it. */
export async function removeFolder(folder: string) {
  await killIn(folder, /./);
  await eventually(async () => (await processesIn(folder)).length === 0);
  await rm(folder, { recursive: true, force: true });
}
