// A thread of the core as a worker of Node.
import { parentPort, workerData } from "node:worker_threads";

import { runThread } from "../src/thread.js";

await runThread(workerData, () => parentPort.postMessage("ready"));
