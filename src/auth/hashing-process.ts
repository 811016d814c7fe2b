// The process that passwords.ts asks for hashes, in the class of those who only run while a core is idle.
import { spawnSync } from "node:child_process";
import { setPriority } from "node:os";
import { type Answer, type Question, workHere } from "./passwords.ts";

// Linux knows such a class, and takes the core back at once; Node can't ask for it. Elsewhere, the lowest priority.
const idle = spawnSync("chrt", ["-i", "-p", "0", `${process.pid}`]);
if (idle.status !== 0) setPriority(19);

process.on("message", async ({ id, ...work }: Question) => {
  const answer: Answer = await workHere(work).then(
    (made) => ({ id, made }),
    (error) => ({ id, error: String(error) }),
  );
  // Who asked may be gone.
  process.send?.(answer, () => {});
});

// It lives as long as who asks it, which answers those that it has begun with when it is told to stop.
process.on("disconnect", () => process.exit());
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => {});
