import { existsSync } from "node:fs";
import closeWithGrace from "close-with-grace";
import { type Logger, pino } from "pino";
import { OperatorError, type RequiredSettings, readSettings, type Settings } from "./config.ts";

/** npm forwards these to its child, which the terminal has signalled too. Two within this time count as one. */
const forwardedByNpm = ["SIGINT", "SIGTERM"] as const;
const duplicateSignalMs = 1_000;

/** Added to the longest call to a provider that may be in flight. */
const shutdownGraceMs = 10_000;

const logBufferBytes = 4_096;
const logFlushMs = 100;

/** Ends at "exit", a signal or an error (status 1), and disposes the stack. A second signal exits at once. */
export async function runProcess(
  body: (context: {
    settings: Settings;
    log: Logger;
    stack: AsyncDisposableStack;
  }) => Promise<"keep-running" | "exit">,
  required: RequiredSettings = "all",
) {
  const settings = loadSettings(required);
  const log = await createLog(settings);
  const stack = new AsyncDisposableStack();
  let stoppingSince: number | undefined;
  let failure: unknown;

  const { close } = closeWithGrace(
    {
      delay: shutdownGraceMs + Math.max(settings.paymentTimeoutMs, settings.notificationTimeoutMs),
      logger: { error: (problem) => report(problem, log) },
      skip: [...forwardedByNpm, "beforeExit"],
    },
    async ({ err = failure }) => {
      stoppingSince = performance.now();
      if (err) report(err, log);
      // What has started by halves can't be disposed.
      await starting.catch(() => {});
      await stack.disposeAsync();
      if (err) process.exit(1);
    },
  );
  for (const signal of forwardedByNpm)
    process.on(signal, () => {
      if (stoppingSince === undefined) close();
      else if (performance.now() - stoppingSince > duplicateSignalMs) process.exit(1);
    });

  const starting = body({ settings, log, stack });
  starting
    .catch((error) => {
      failure = error;
      return "exit";
    })
    .then((outcome) => {
      if (outcome === "exit" && stoppingSince === undefined) close();
    });
}

function loadSettings(required: RequiredSettings): Settings {
  try {
    if (existsSync(".env")) process.loadEnvFile(".env");
    return readSettings(process.env, required);
  } catch (error) {
    report(error);
    process.exit(1);
  }
}

function report(problem: unknown, log?: Logger) {
  if (typeof problem === "string") console.error(problem);
  else if (isForOperator(problem)) console.error(`\n${problem.message}\n`);
  else if (log) log.fatal({ err: problem }, "the process failed");
  else console.error(problem);
}

const isForOperator = (error: unknown): error is Error =>
  error instanceof OperatorError ||
  (error instanceof Error && "code" in error && error.code === "EADDRINUSE");

async function createLog({ production, logLevel }: Settings): Promise<Logger> {
  const options = { level: logLevel };
  if (production || !process.stdout.isTTY)
    // pino flushes it at exit and after a fatal line.
    return pino(
      options,
      pino.destination({ sync: false, minLength: logBufferBytes, periodicFlush: logFlushMs }),
    );
  const { default: pretty } = await import("pino-pretty");
  return pino(options, pretty({ ignore: "pid,hostname", translateTime: "HH:MM:ss", sync: true }));
}
