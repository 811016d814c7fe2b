// `npm run bench` measures every case, `npm run bench -- orders menu` these. Each prints what it has measured, and leaves
// it as JSON beside it.
import { spawn } from "node:child_process";
import { once } from "node:events";

const cases = [
  "menu",
  "orders",
  "slow-provider",
  "status",
  "history",
  "streams",
  "sign-in",
  "start",
  "events",
];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !cases.includes(name));
if (unknown.length > 0) {
  console.error(`No such case: ${unknown.join(", ")}. There are: ${cases.join(", ")}.`);
  process.exit(1);
}

for (const name of asked.length > 0 ? asked : cases) {
  const measuring = spawn(process.execPath, [`${import.meta.dirname}/${name}.ts`], { stdio: "inherit" });
  const [code] = await once(measuring, "exit");
  if (code !== 0) process.exitCode = 1;
}
