// What main, worker and cli share: settings, log, signals, and an orderly end.
import { existsSync } from "node:fs";
import { type Logger, pino } from "pino";
import { type CompleteSettings, readSettings, type Settings, SettingsError } from "./config.ts";

/** A terminal's Ctrl-C reaches npm and node both, and npm passes it on: within this time it is one signal. */
const sameSignalMs = 1_000;

/**
 * Runs `body` with the settings and the log. What it defers to the stack is undone, last first, when it returns
 * false, when it throws, and when SIGTERM or SIGINT comes; then the process exits: 0, or 1 after an error. A second
 * signal ends it at once.
 */
export async function runProcess(
  body: (context: {
    settings: Settings;
    log: Logger;
    stack: AsyncDisposableStack;
  }) => Promise<"stay" | "done">,
) {
  const stack = new AsyncDisposableStack();
  let stoppingSince: number | undefined;

  async function stop(exitCode: number) {
    stoppingSince = performance.now();
    try {
      await stack.disposeAsync();
    } catch (error) {
      console.error(error);
      exitCode = 1;
    }
    process.exit(exitCode);
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
      if (stoppingSince === undefined) stop(0);
      else if (performance.now() - stoppingSince > sameSignalMs) process.exit(1);
    });

  try {
    if (existsSync(".env")) process.loadEnvFile(".env");
    const settings = readSettings(process.env);
    const log = await openLog(settings);
    if ((await body({ settings, log, stack })) === "done") await stop(0);
  } catch (error) {
    if (stoppingSince !== undefined) return;
    console.error(isPlain(error) ? `\n${error.message}\n` : error);
    await stop(1);
  }
}

/** Errors whose message is all that an operator needs. */
const isPlain = (error: unknown): error is Error =>
  error instanceof SettingsError ||
  (error instanceof Error &&
    (error.name === "AlreadyRunning" || ("code" in error && error.code === "EADDRINUSE")));

/** JSON lines; in words on a developer's terminal. */
async function openLog({ production, logLevel }: Settings): Promise<Logger> {
  const options = { level: logLevel };
  if (production || !process.stdout.isTTY) return pino(options);
  const { default: pretty } = await import("pino-pretty");
  return pino(options, pretty({ ignore: "pid,hostname", translateTime: "HH:MM:ss", sync: true }));
}

/** In production settings are complete, or reading them has failed. */
export const complete = (settings: Settings) => settings as CompleteSettings;
