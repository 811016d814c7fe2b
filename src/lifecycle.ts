// What main, worker and cli share: settings, log, signals, and an orderly end.
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { type Logger, pino } from "pino";
import { type CompleteSettings, type Demand, readSettings, type Settings, SettingsError } from "./config.ts";

// V8 may decide, by what a start happens to keep, that what some line makes is old from birth. Of what is made for each
// request each such object then keeps all that it reaches from being collected while young: in two of three processes
// GET /menu was answered a third less often, for as long as they ran.
setFlagsFromString("--no-allocation-site-pretenuring");

/** A terminal's Ctrl-C reaches npm and node both, and npm passes it on: within this time it is one signal. */
const sameSignalMs = 1_000;

// On top of the longest that a payment or a notification in flight may take.
const tidyUpMs = 10_000;

const logChunkLength = 16_000;
/** How late a line may be. */
const logDelayMs = 100;

/** Errors whose message is all that an operator needs. */
export class PlainError extends Error {}

/**
 * Runs `body` with the settings and the log. What it defers to the stack is undone, last first, when it returns
 * "done", when it throws, and when a signal comes, which a body that is still starting may finish; then the process
 * exits: 0, or 1 after an error. A second signal ends it at once. `demand` is what production must be given.
 */
export async function runProcess(
  body: (context: {
    settings: Settings;
    log: Logger;
    stack: AsyncDisposableStack;
  }) => Promise<"stay" | "done">,
  demand: Demand = "all",
) {
  const stack = new AsyncDisposableStack();
  let starting: Promise<unknown> | undefined;
  let stoppingSince: number | undefined;
  let log: Logger | undefined;
  let patienceMs = tidyUpMs;

  async function stop(exitCode: number) {
    stoppingSince = performance.now();
    setTimeout(() => {
      console.error(`Not everything ended within ${patienceMs / 1_000} s`);
      process.exit(1);
    }, patienceMs);
    // What is half started can't be stopped: it would be left behind.
    await starting?.catch(() => {});
    try {
      await stack.disposeAsync();
    } catch (error) {
      console.error(error);
      exitCode = 1;
    }
    process.exit(exitCode);
  }

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.on(signal, () => {
      if (stoppingSince === undefined) stop(0);
      else if (performance.now() - stoppingSince > sameSignalMs) process.exit(1);
    });

  process.on("uncaughtException", (error) => {
    if (log) log.fatal({ err: error }, "uncaught");
    else console.error(error);
    if (stoppingSince === undefined) stop(1);
  });

  try {
    if (existsSync(".env")) process.loadEnvFile(".env");
    const settings = readSettings(process.env, demand);
    patienceMs += Math.max(settings.paymentTimeoutMs, settings.notificationTimeoutMs);
    log = await openLog(settings);
    starting = body({ settings, log, stack });
    if ((await starting) === "done" && stoppingSince === undefined) await stop(0);
  } catch (error) {
    if (stoppingSince !== undefined) return;
    if (isPlain(error)) console.error(`\n${error.message}\n`);
    else if (log) log.fatal({ err: error }, "failed");
    else console.error(error);
    await stop(1);
  }
}

const isPlain = (error: unknown): error is Error =>
  error instanceof SettingsError ||
  error instanceof PlainError ||
  (error instanceof Error && "code" in error && error.code === "EADDRINUSE");

/** JSON lines; in words on a developer's terminal. */
async function openLog({ production, logLevel }: Settings): Promise<Logger> {
  const options = { level: logLevel };
  if (production || !process.stdout.isTTY) {
    // Lines are written together, for a system call for each would cost more than answering from the menu does; and at
    // once, for another thread would take longer to be asked. They are flushed at the end, after an error that nobody
    // caught too; a kill -9 loses those of the last moment. pino's own destination gathers lines too, but measures all
    // that it has again for each one, which takes four times as long as making the line.
    const out = pino.destination({ sync: true });
    let lines = "";
    const destination = {
      write(line: string) {
        lines += line;
        if (lines.length >= logChunkLength) destination.flushSync();
      },
      flushSync() {
        if (lines) out.write(lines);
        lines = "";
      },
    };
    setInterval(destination.flushSync, logDelayMs).unref();
    process.on("exit", destination.flushSync);
    return pino(options, destination);
  }
  const { default: pretty } = await import("pino-pretty");
  return pino(options, pretty({ ignore: "pid,hostname", translateTime: "HH:MM:ss", sync: true }));
}

/** In production settings are complete, or reading them has failed. */
export const complete = (settings: Settings) => settings as CompleteSettings;
