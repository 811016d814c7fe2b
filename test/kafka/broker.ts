// A real Apache Kafka broker of a test's own: KRaft, one node, from its published jars, which Maven keeps in ~/.m2.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { missing } from "../skip-if-unavailable.ts";

const pom = new URL("pom.xml", import.meta.url).pathname;
const classPathPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath";

let classPath = "";

/** Loads the jars the first time; `.ci/run` does it before the tests, for it may take a minute. */
export const noKafka = missing("Apache Kafka (java 17 and mvn)", () => {
  execFileSync("java", ["-version"], { stdio: "ignore" });
  const out = join(tmpdir(), `ristretto-kafka-${process.pid}.classpath`);
  execFileSync("mvn", ["-B", "-q", "-f", pom, classPathPlugin, `-Dmdep.outputFile=${out}`], {
    stdio: "ignore",
  });
  classPath = execFileSync("cat", [out], { encoding: "utf8" }).trim();
  execFileSync("rm", [out]);
});

export interface Broker {
  address: string;
  start: () => Promise<void>;
  kill: () => Promise<void>;
  close: () => Promise<void>;
}

/** Keeps what it has when it is killed and started again. */
export async function startBroker(): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-kafka-"));
  const [port, controllerPort] = [await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  const properties = join(folder, "server.properties");
  await mkdir(join(folder, "logs"));
  await writeFile(
    properties,
    `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://${address},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://${address}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=${folder}/logs
num.partitions=3
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
message.max.bytes=200000
`,
  );
  const java = (main: string, ...args: string[]) => [
    "-Xmx256m",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    classPath,
    main,
    ...args,
  ];
  execFileSync(
    "java",
    java("kafka.tools.StorageTool", "format", "-t", "RistrettoTestsKafka0A", "-c", properties),
    {
      stdio: "ignore",
    },
  );

  let child: ChildProcess;
  let printed = "";
  const broker: Broker = {
    address,
    async start() {
      child = spawn("java", java("kafka.Kafka", properties), { stdio: ["ignore", "pipe", "pipe"] });
      for (const stream of [child.stdout!, child.stderr!])
        stream.on("data", (chunk) => {
          printed = (printed + chunk).slice(-5_000);
        });
      const { Admin } = await import("@platformatic/kafka");
      for (const deadline = Date.now() + 40_000; ; ) {
        if (child.exitCode !== null || Date.now() > deadline) throw new Error(`no broker:\n${printed}`);
        const admin = new Admin({ clientId: "test", bootstrapBrokers: [address], retries: 0 });
        try {
          await admin.listTopics();
          return;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 100));
        } finally {
          await admin.close();
        }
      }
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    async close() {
      await broker.kill();
      await rm(folder, { recursive: true });
    },
  };
  await broker.start();
  return broker;
}
